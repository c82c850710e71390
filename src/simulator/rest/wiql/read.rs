//! The query language, read: `SELECT … FROM WorkItems WHERE … ORDER BY …`.
//!
//! Not simulated, and refused: links and trees, `EVER`, `IN GROUP`, `ASOF`, fields on both sides.

use super::super::{Outcome, Refusal};
use std::iter::Peekable;

/// A query, taken apart: the columns, what must hold, and the order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) columns: Vec<String>,
    pub(super) filter: Option<Filter>,
    pub(super) order: Vec<(String, bool)>,
}

/// What must hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Condition(Condition),
}

/// `[field] operator value`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) field: String,
    pub(super) operator: Operator,
    pub(super) values: Vec<Value>,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Is,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Contains,
    ContainsWords,
    Under,
    IsEmpty,
}

/// What a field is compared with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    /// A name after `@`, in lower case, what stands behind it in brackets, and how much is added to it.
    Macro(String, Option<String>, i64),
}

pub(super) fn syntax(what: &str) -> Refusal {
    Refusal::bad_request("VssServiceResponseException", &format!("TF51006: The query statement is {what}."))
}

/// A word of a query.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// A name, with or without brackets, a number, a sign.
    Plain(String),
    Quoted(String),
}

/// Names in brackets lose them, texts in quotes theirs; a doubled quote is one.
fn words(query: &str) -> Outcome<Vec<Word>> {
    let mut found = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' || first == '"' {
            let mut text = String::new();
            let mut chars = rest.char_indices().skip(1).peekable();
            let end = loop {
                match chars.next() {
                    None => return Err(syntax("not closed")),
                    Some((at, c)) if c == first => match chars.next_if(|(_, next)| *next == first) {
                        Some(_) => text.push(c),
                        None => break at + c.len_utf8(),
                    },
                    Some((_, c)) => text.push(c),
                }
            };
            found.push(Word::Quoted(text));
            rest = rest[end..].trim_start();
            continue;
        }
        let end = match first {
            '[' => rest.find(']').map(|at| at + 1).ok_or_else(|| syntax("not closed"))?,
            ',' | '(' | ')' | '+' | '-' => 1,
            '<' | '>' | '=' => rest.find(|c| !"<>=".contains(c)).unwrap_or(rest.len()),
            _ => {
                let is_end = |c: char| c.is_whitespace() || "[],()'\"<>=+-".contains(c);
                rest.find(is_end).unwrap_or(rest.len()).max(first.len_utf8())
            }
        };
        let (word, after) = rest.split_at(end);
        found.push(Word::Plain(word.trim_matches(|c| "[]".contains(c)).to_owned()));
        rest = after.trim_start();
    }
    Ok(found)
}

/// Reads word by word.
struct Reader<I: Iterator<Item = Word>>(Peekable<I>);

impl<I: Iterator<Item = Word>> Reader<I> {
    /// Goes on if the next word is this.
    fn take(&mut self, word: &str) -> bool {
        self.0.next_if(|next| matches!(next, Word::Plain(own) if own.eq_ignore_ascii_case(word))).is_some()
    }

    fn need(&mut self, word: &str, what: &str) -> Outcome<()> {
        if self.take(word) { Ok(()) } else { Err(syntax(what)) }
    }

    fn name(&mut self) -> Outcome<String> {
        match self.0.next() {
            Some(Word::Plain(name)) => Ok(name),
            _ => Err(syntax("incomplete")),
        }
    }

    /// `OR` binds less than `AND`, and that less than `NOT`.
    fn any(&mut self) -> Outcome<Filter> {
        let mut all = vec![self.all()?];
        while self.take("or") {
            all.push(self.all()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::Any(all) })
    }

    fn all(&mut self) -> Outcome<Filter> {
        let mut all = vec![self.one()?];
        while self.take("and") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::All(all) })
    }

    fn one(&mut self) -> Outcome<Filter> {
        if self.take("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let inner = self.any()?;
            self.need(")", "not closed")?;
            return Ok(inner);
        }
        let field = self.name()?;
        if field.eq_ignore_ascii_case("ever") {
            return Err(syntax("using EVER, which is not simulated"));
        }
        let negated = self.take("not");
        let (operator, opposite) = self.operator()?;
        let values = match operator {
            Operator::IsEmpty => Vec::new(),
            Operator::In => self.list()?,
            _ => vec![self.value()?],
        };
        let condition = Filter::Condition(Condition { field, operator, values });
        Ok(if negated == opposite { condition } else { Filter::Not(Box::new(condition)) })
    }

    /// And whether its opposite is meant.
    fn operator(&mut self) -> Outcome<(Operator, bool)> {
        let word = self.name()?.to_lowercase();
        Ok(match word.as_str() {
            "=" => (Operator::Is, false),
            "<>" => (Operator::Is, true),
            "<" => (Operator::Less, false),
            "<=" => (Operator::LessOrEqual, false),
            ">" => (Operator::Greater, false),
            ">=" => (Operator::GreaterOrEqual, false),
            "in" => (Operator::In, false),
            "under" => (Operator::Under, false),
            "contains" if self.take("words") => (Operator::ContainsWords, false),
            "contains" => (Operator::Contains, false),
            "is" => {
                let opposite = self.take("not");
                self.need("empty", "incomplete")?;
                (Operator::IsEmpty, opposite)
            }
            other => return Err(syntax(&format!("using the operator {other}, which is not simulated"))),
        })
    }

    fn list(&mut self) -> Outcome<Vec<Value>> {
        self.need("(", "using IN without a list: groups are not simulated")?;
        let mut values = vec![self.value()?];
        while self.take(",") {
            values.push(self.value()?);
        }
        self.need(")", "not closed")?;
        Ok(values)
    }

    fn value(&mut self) -> Outcome<Value> {
        let word = match self.0.next() {
            Some(Word::Quoted(text)) => return Ok(Value::Text(text)),
            Some(Word::Plain(word)) => word,
            None => return Err(syntax("incomplete")),
        };
        let Some(name) = word.strip_prefix('@') else {
            return match word.as_str() {
                "-" => Ok(Value::Text(format!("-{}", self.name()?))),
                "," | "(" | ")" | "+" => Err(syntax("incomplete")),
                _ => Ok(Value::Text(word)),
            };
        };
        let mut within = None;
        if self.take("(") {
            within = match self.0.next() {
                Some(Word::Quoted(text)) => Some(text),
                _ => return Err(syntax("incomplete")),
            };
            self.need(")", "not closed")?;
        }
        let sign = if self.take("-") {
            -1
        } else if self.take("+") {
            1
        } else {
            return Ok(Value::Macro(name.to_lowercase(), within, 0));
        };
        let count: i64 = self.name()?.parse().map_err(|_| syntax("incomplete"))?;
        Ok(Value::Macro(name.to_lowercase(), within, sign * count))
    }

    fn order(&mut self) -> Outcome<Vec<(String, bool)>> {
        let mut order = Vec::new();
        loop {
            let field = self.name()?;
            let descends = self.take("desc");
            if !descends {
                self.take("asc");
            }
            order.push((field, descends));
            if !self.take(",") {
                return Ok(order);
            }
        }
    }
}

pub(super) fn read(query: &str) -> Outcome<Query> {
    let mut words = Reader(words(query)?.into_iter().peekable());
    words.need("select", "missing a SELECT clause")?;
    let mut columns = vec![words.name()?];
    while words.take(",") {
        columns.push(words.name()?);
    }
    words.need("from", "missing a FROM clause")?;
    words.need("workitems", "not one over workitems: links are not simulated")?;
    let filter = if words.take("where") { Some(words.any()?) } else { None };
    let mut order = Vec::new();
    if words.take("order") {
        words.need("by", "incomplete")?;
        order = words.order()?;
    }
    match words.0.next() {
        None => Ok(Query { columns, filter, order }),
        Some(Word::Plain(word) | Word::Quoted(word)) => {
            Err(syntax(&format!("not understood at {word}: it is not simulated")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(filter: &Filter) -> String {
        let list = |all: &[Filter], word: &str| {
            format!("({})", all.iter().map(shown).collect::<Vec<_>>().join(&format!(" {word} ")))
        };
        match filter {
            Filter::All(all) => list(all, "and"),
            Filter::Any(all) => list(all, "or"),
            Filter::Not(inner) => format!("not {}", shown(inner)),
            Filter::Condition(own) => {
                let values = own.values.iter().map(|value| match value {
                    Value::Text(text) => text.clone(),
                    Value::Macro(name, None, plus) => format!("@{name}{plus:+}"),
                    Value::Macro(name, Some(within), plus) => format!("@{name}({within}){plus:+}"),
                });
                format!("{} {:?} {}", own.field, own.operator, values.collect::<Vec<_>>().join("|"))
            }
        }
    }

    fn filter(text: &str) -> String {
        let query = read(&format!("SELECT [System.Id] FROM WorkItems WHERE {text}")).unwrap();
        shown(&query.filter.unwrap())
    }

    #[test]
    fn a_query_is_taken_apart() {
        let query = read(
            "SELECT [System.Id], [System.Title] FROM WorkItems WHERE [System.ChangedDate] >= '2026-01-01' \
             AND [System.State] IN ('Closed', 'Not Done') ORDER BY [System.ChangedDate] DESC, [System.Id]",
        );
        let query = query.unwrap();
        assert_eq!(query.columns, ["System.Id", "System.Title"]);
        assert_eq!(query.order, [("System.ChangedDate".to_owned(), true), ("System.Id".to_owned(), false)]);
        assert!(matches!(query.filter, Some(Filter::All(all)) if all.len() == 2));
    }

    #[test]
    fn or_binds_less_than_and_and_that_less_than_not() {
        for (text, expected) in [
            ("[A] = 1 OR [B] = 2 AND [C] = 3", "(A Is 1 or (B Is 2 and C Is 3))"),
            ("([A] = 1 OR [B] = 2) AND NOT [C] = 3", "((A Is 1 or B Is 2) and not C Is 3)"),
            ("NOT ([A] <> 'x' OR [B] NOT CONTAINS 'it''s')", "not (not A Is x or not B Contains it's)"),
            ("[A] NOT UNDER 'x\\y'", "not A Under x\\y"),
            ("[A] CONTAINS WORDS 'a b' AND [B] IS NOT EMPTY", "(A ContainsWords a b and not B IsEmpty )"),
            ("[A] IN (1, -2, @me)", "A In 1|-2|@me+0"),
            (
                "[A] >= @today - 7 AND [A] < @StartOfDay('-1d') + 2",
                "(A GreaterOrEqual @today-7 and A Less @startofday(-1d)+2)",
            ),
            ("[A]=@project", "A Is @project+0"),
        ] {
            assert_eq!(filter(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_simulated_is_refused_and_not_guessed() {
        for text in [
            "SELECT [System.Id] FROM WorkItemLinks",
            "SELECT [System.Id] FROM WorkItems WHERE [A] LIKE 'x'",
            "SELECT [System.Id] FROM WorkItems WHERE EVER [A] = 'x'",
            "SELECT [System.Id] FROM WorkItems WHERE [A] IN GROUP 'x'",
            "SELECT [System.Id] FROM WorkItems WHERE [A] = 'x",
            "SELECT [System.Id] FROM WorkItems WHERE ([A] = 'x'",
            "SELECT [System.Id] FROM WorkItems WHERE [A] =",
            "SELECT [System.Id] FROM WorkItems WHERE [A] = 1 ASOF '2026-01-01'",
            "DROP",
            "",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
