//! Mutations that leave JSON as JSON: without them nearly every input ends at the first comma.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Map, Value, json};

/// Changes one value of the last JSON text in `data`, every second time; else bytes, as libFuzzer likes. Whatever is in
/// front of the first brace stays.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice(u64::from(seed) << 1 | 1);
    let begin = data[..size].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if dice.roll(2) == 0
        && let Ok(mut value) = serde_json::from_slice::<Value>(&data[begin..size])
    {
        for _ in 0..=dice.roll(3) {
            let places = count(&value);
            change(&mut value, &mut dice.roll(places), &mut Dice(dice.next()));
        }
        let text = value.to_string();
        if begin + text.len() <= max_size {
            data[begin..begin + text.len()].copy_from_slice(text.as_bytes());
            return begin + text.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
}

/// The numbers of a linear congruential generator: the same seed gives the same change.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }

    fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % sides.max(1)
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

fn change(value: &mut Value, place: &mut usize, dice: &mut Dice) -> bool {
    if *place == 0 {
        replace(value, dice);
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, place, dice)),
        Value::Object(members) => members.values_mut().any(|member| change(member, place, dice)),
        _ => false,
    }
}

fn replace(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Array(items) if !items.is_empty() && dice.roll(3) > 0 => {
            let at = dice.roll(items.len());
            match dice.roll(3) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => items.swap(0, at),
            }
        }
        Value::Object(members) if !members.is_empty() && dice.roll(3) > 0 => {
            let at = dice.roll(members.len());
            let name = members.keys().nth(at).cloned().unwrap_or_default();
            let removed = members.remove(&name);
            if dice.roll(2) == 0 {
                let other = members.keys().nth(dice.roll(members.len())).cloned();
                members.insert(other.unwrap_or(name), removed.unwrap_or_default());
            }
        }
        Value::String(text) if dice.roll(3) > 0 => match dice.roll(6) {
            0 => text.clear(),
            1 => text.push(['\u{0}', '\n', '\u{7f}', '"', 'é', '\u{2028}', '/', '#', ':', '%'][dice.roll(10)]),
            2 => *text = text.chars().rev().collect(),
            3 => *text = text.repeat(dice.roll(40)),
            4 => *text = text.chars().skip(dice.roll(20)).collect(),
            _ => *text = text.to_uppercase(),
        },
        Value::Number(number) if dice.roll(3) > 0 => {
            let known = number.as_i64().unwrap_or(0);
            let numbers = [0, 1, -1, i64::MAX, i64::MIN, known.wrapping_add(1), known.wrapping_neg()];
            *value = json!(numbers[dice.roll(numbers.len())]);
        }
        _ => {
            *value = match dice.roll(14) {
                0 => Value::Null,
                1 => json!(true),
                2 => json!(0),
                3 => json!(-1.5e300),
                4 => json!(u64::MAX),
                5 => json!(""),
                6 => json!("0001-01-01T00:00:00"),
                7 => json!("9999-12-31T23:59:59.9999999Z"),
                8 => json!("0000000000000000000000000000000000000000"),
                9 => json!("00000000-0000-0000-0000-000000000000"),
                10 => json!("https://dev.azure.com/fabrikam/_apis/x"),
                11 => json!([]),
                12 => Value::Object(Map::new()),
                _ => json!([value.clone(), value.clone()]),
            };
        }
    }
}
