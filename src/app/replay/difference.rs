//! Where two tellings of one fact differ.

use serde_json::Value;

/// Places that are named; there may be more.
const POINTERS_MAX: usize = 100;

/// What is never the same or says nothing of the fact: ids, what replaces what, and the mapping's number.
const NO_MATTER: [&str; 6] = [
    "/id",
    "/replaces",
    "/data/context/id",
    "/data/customData/hookwell/replaces",
    "/data/customData/hookwell/fact",
    "/data/customData/azuredevops/mapping",
];

/// The JSON pointers of what differs, none where both say the same. What one of them is no JSON differs everywhere.
pub(super) fn between(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (serde_json::from_slice(before), serde_json::from_slice(after));
    let (Ok(before), Ok(after)) = (before, after) else { return vec![String::new()] };
    let mut pointers = Vec::new();
    compare(&before, &after, &mut String::new(), &mut pointers);
    pointers
}

fn compare(before: &Value, after: &Value, at: &mut String, pointers: &mut Vec<String>) {
    if before == after || NO_MATTER.contains(&at.as_str()) || pointers.len() >= POINTERS_MAX {
        return;
    }
    let mut step = |name: &str, before: &Value, after: &Value, pointers: &mut Vec<String>| {
        let length = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        compare(before, after, at, pointers);
        at.truncate(length);
    };
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                step(name, value, other.get(name).unwrap_or(&Value::Null), pointers);
            }
            for (name, value) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                step(name, &Value::Null, value, pointers);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for number in 0..one.len().max(other.len()) {
                let of = |list: &Vec<Value>| list.get(number).cloned().unwrap_or_default();
                step(&number.to_string(), &of(one), &of(other), pointers);
            }
        }
        _ => pointers.push(at.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(before: &Value, after: &Value) -> Vec<String> {
        between(before.to_string().as_bytes(), after.to_string().as_bytes())
    }

    #[test]
    fn what_differs_is_named_by_its_pointer() {
        let before = json!({"a": 1, "b": {"c/d": [1, 2], "gone": true}, "e": "same"});
        let after = json!({"a": 2, "b": {"c/d": [1, 3, 4]}, "e": "same", "new": {}});
        assert_eq!(pointers(&before, &after), ["/a", "/b/c~1d/1", "/b/c~1d/2", "/b/gone", "/new"]);
    }

    #[test]
    fn ids_and_the_number_of_the_mapping_are_no_difference() {
        let of = |id: &str, mapping: u32| {
            json!({"id": id, "replaces": id, "data": {
                "context": {"id": id},
                "customData": {"azuredevops": {"mapping": mapping, "rev": 1}, "hookwell": {"replaces": id}},
            }})
        };
        assert_eq!(pointers(&of("a", 1), &of("b", 2)), [""; 0]);
    }

    #[test]
    fn only_so_many_are_named() {
        let (before, after) = (json!(vec![1; 500]), json!(vec![2; 500]));
        assert_eq!(pointers(&before, &after).len(), POINTERS_MAX);
    }
}
