//! Which work items people mention: `#123` and `AB#123`, as Azure DevOps itself takes them, in what belongs to a pull
//! request. Pure.
//!
//! A number counts only as a word of its own: not in an address, a colour, a version, a character reference or the name of
//! something else (`C#7`, `other/repo#5`). What may be either (`#336699`) is a work item, but for where it is called a colour.

use std::collections::BTreeSet;

/// Most work items of one pull request that are taken.
pub const MENTIONS_MAX: usize = 100;
/// Bytes of one text that are looked at.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Numbers of work items are 32 bits in Azure DevOps.
const NUMBER_MAX: i64 = 2_147_483_647;
/// What a colour is called before it is given.
const COLOURS: [&str; 6] = ["color", "colour", "background", "fill", "stroke", "border"];

/// Where people mention work items.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a> {
    /// The pull request's title.
    pub title: &'a str,
    /// Its description.
    pub description: &'a str,
    /// The branch that it comes from, by short or full name.
    pub branch: &'a str,
    /// The messages of its commits.
    pub messages: &'a [&'a str],
}

/// The numbers of the work items that are mentioned, the lowest first; strictly, only in title and branch.
pub fn mentioned(texts: &Texts<'_>, is_strict: bool) -> BTreeSet<i64> {
    let mut found: BTreeSet<i64> = numbers(texts.title, false).chain(numbers(texts.branch, true)).collect();
    if !is_strict {
        found.extend(numbers(texts.description, false));
        found.extend(texts.messages.iter().flat_map(|message| numbers(message, false)));
    }
    while found.len() > MENTIONS_MAX {
        found.pop_last();
    }
    found
}

/// The numbers in a text; in a branch's name a slash divides words.
fn numbers(text: &str, is_branch: bool) -> impl Iterator<Item = i64> {
    let end = (0..=text.len().min(TEXT_BYTES_MAX)).rfind(|end| text.is_char_boundary(*end)).unwrap_or_default();
    let text = &text[..end];
    text.match_indices('#').filter_map(move |(at, _)| number(&text[..at], &text[at + 1..], is_branch))
}

/// The number that follows a hash, if both sides of it are as they should be.
fn number(before: &str, after: &str, is_branch: bool) -> Option<i64> {
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = after.split_at(digits);
    let is_own = !number.starts_with('0') && (1..=10).contains(&digits);
    let mut follows = rest.chars();
    let ends = match (follows.next(), follows.next()) {
        (Some('.' | ','), Some(next)) => !next.is_alphanumeric(),
        (Some(next), _) => !next.is_alphanumeric() && !matches!(next, '_' | '#' | '%' | '@'),
        (None, _) => true,
    };
    let marked =
        before.len().checked_sub(2).and_then(|at| before.get(at..)).is_some_and(|mark| mark.eq_ignore_ascii_case("ab"));
    let before = if marked { &before[..before.len() - 2] } else { before };
    let begins = before.chars().next_back().is_none_or(|last| {
        let is_slash = matches!(last, '/' | '\\');
        (!last.is_alphanumeric() && !is_slash && !"_#&%=?@~.-+".contains(last)) || (is_branch && "/-_.".contains(last))
    });
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    if !is_own || !ends || !begins || word.contains("://") || (!marked && is_colour(before)) {
        return None;
    }
    number.parse().ok().filter(|number| *number <= NUMBER_MAX)
}

/// Whether what comes before calls it a colour.
fn is_colour(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '=' | '"' | '\'' | '`'));
    let word = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    COLOURS.iter().any(|colour| word.eq_ignore_ascii_case(colour))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Vec<i64> {
        mentioned(&Texts { title: text, ..Texts::default() }, true).into_iter().collect()
    }

    #[test]
    fn a_number_counts_as_a_word_of_its_own_and_not_within_something_else() {
        for (text, wanted) in [
            ("Fixes #12", &[12][..]),
            ("#7: roast longer (#8), AB#9; ab#10!", &[7, 8, 9, 10]),
            ("Fixes #336699.", &[336_699]),
            ("[#5] 'Größe' – #6…", &[5, 6]),
            ("#1\n#2\r\n#2", &[1, 2]),
            ("#12, #13.", &[12, 13]),
            ("color: #336699; background:#123456; fill=\"#111111\"", &[]),
            ("#12ab #0f0 #12_3 C#7 F#8 PR#9 other/repo#5", &[]),
            ("https://x.example/page#12 https://x.example/?q=AB#13 x.html#4 (https://x/#5)", &[]),
            ("&#123; ##12 #-1 # 12 #0 #012 #1.5 #99999999999 #4294967296", &[]),
            ("cab#12 1AB#12 _AB#12 日AB#12", &[]),
            ("", &[]),
            ("#", &[]),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }

    #[test]
    fn strictly_only_title_and_branch_are_read() {
        let messages = ["Roast longer AB#4", "Merged PR 9: #5"];
        let texts =
            Texts { title: "#1", description: "Closes #2", branch: "refs/heads/ana/AB#3-roast", messages: &messages };
        assert_eq!(mentioned(&texts, true), BTreeSet::from([1, 3]));
        assert_eq!(mentioned(&texts, false), (1..=5).collect());
    }

    #[test]
    fn so_many_are_taken_and_so_far_is_read_as_is_said() {
        let all = (1..=200).map(|n| format!("#{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(of(&all), (1..=100).collect::<Vec<_>>());
        assert_eq!(of(&format!("{}#5", "é".repeat(TEXT_BYTES_MAX / 2))), Vec::<i64>::new());
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_what_is_found_stands_there(text in ".*", branch in ".*") {
            let texts = Texts { title: &text, description: &text, branch: &branch, messages: &[&text] };
            for number in mentioned(&texts, false) {
                let written = format!("#{number}");
                let stands = |text: &str| text.match_indices(&written).any(|(at, _)| {
                    !text[at + written.len()..].starts_with(|c: char| c.is_ascii_digit())
                });
                prop_assert!(number > 0 && (stands(&text) || stands(&branch)));
            }
        }

        #[test]
        fn between_blanks_and_marks_it_is_found(
            number in 1_i64..=2_147_483_647, before in "[ \t\n(\\[,;!]", after in "[ \t\n)\\];!?]", mark in "(AB|ab|)",
        ) {
            prop_assert_eq!(of(&format!("x{before}{mark}#{number}{after}x")), vec![number]);
        }

        #[test]
        fn out_of_a_longer_word_an_address_or_a_colour_nothing_is_found(
            number in 1_i64..=999_999, word in "[a-zA-Z0-9_]{0,8}[0-9c-zC-Z_]", tail in "[a-zA-Z_][a-zA-Z0-9]{0,4}",
            path in "[a-z/.?=-]{0,12}", colour in "[0-9]{0,3}[a-f][0-9a-f]{2}",
        ) {
            for text in [
                format!("{word}#{number}"),
                format!("#{number}{tail}"),
                format!("https://{path}#{number}"),
                format!("https://{path}AB#{number} "),
                format!("#{colour}"),
            ] {
                prop_assert_eq!(of(&text), Vec::<i64>::new(), "{}", text);
            }
        }
    }
}
