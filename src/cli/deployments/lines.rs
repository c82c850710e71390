//! The lines of a CSV file of deployments: pure, and each by itself, so that one that cannot be read keeps no other from
//! being told.

use jiff::Timestamp;
use std::collections::BTreeSet;

/// Most lines of one file.
pub(super) const LINES_MAX: usize = 100_000;
/// The columns that are read, in the order in which they are named to people.
const COLUMNS: [&str; 7] = ["sha", "tag", "branch", "date", "environment", "binding", "author"];

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) sha: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) date: Timestamp,
    pub(super) environment: Option<String>,
    pub(super) binding: Option<String>,
    pub(super) author: Option<String>,
}

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines {
    /// With their numbers, oldest first: what comes in order need not be told twice.
    pub(super) told: Vec<(u64, Line)>,
    /// The lines that could not be read, by number, and why.
    pub(super) unreadable: Vec<(u64, String)>,
}

/// Reads a file whose first line names the columns.
///
/// # Errors
/// A fault of the file as a whole: nothing in it can be told then.
pub(super) fn read(text: &[u8]) -> Result<Lines, String> {
    // Ragged lines are ours to report, and so is what is no UTF-8.
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let columns = columns(reader.byte_headers().map_err(|error| error.to_string())?)?;
    let (mut told, mut unreadable, mut numbers) = (Vec::new(), Vec::new(), Numbers::of(text));
    for record in reader.byte_records() {
        let record = record.map_err(|error| error.to_string())?;
        if told.len() + unreadable.len() == LINES_MAX {
            return Err(format!("it has more than {LINES_MAX} lines; divide it"));
        }
        let number = numbers.at(record.position().map_or(0, csv::Position::byte));
        match line(&record, &columns) {
            Ok(line) => told.push((number, line)),
            Err(why) => unreadable.push((number, why)),
        }
    }
    if told.is_empty() && unreadable.is_empty() {
        return Err("it has no line after the names of the columns".to_owned());
    }
    told.sort_by_key(|(_, line)| line.date);
    Ok(Lines { told, unreadable })
}

/// The names of the columns, all of which are known: one that is misspelt would be one that is missing.
fn columns(header: &csv::ByteRecord) -> Result<Vec<&'static str>, String> {
    if header.is_empty() {
        return Err("it is empty; its first line must name the columns".to_owned());
    }
    let (mut columns, mut wrong, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for name in header {
        match COLUMNS.iter().find(|known| known.as_bytes() == name) {
            Some(known) if seen.insert(known) => columns.push(*known),
            Some(known) => wrong.push(format!("{known} a second time")),
            None => wrong.push(format!("{:?}", String::from_utf8_lossy(name))),
        }
    }
    if !wrong.is_empty() {
        return Err(format!("its first line names {}; the columns are {}", wrong.join(", "), COLUMNS.join(", ")));
    }
    if !seen.contains(&"date") {
        return Err("its first line does not name the column date".to_owned());
    }
    if !["sha", "tag", "branch"].iter().any(|name| seen.contains(name)) {
        return Err("its first line names none of the columns sha, tag and branch".to_owned());
    }
    Ok(columns)
}

fn line(record: &csv::ByteRecord, columns: &[&str]) -> Result<Line, String> {
    if record.len() != columns.len() {
        return Err(format!("has {} fields, and the first line names {} columns", record.len(), columns.len()));
    }
    let field = |name: &str| -> Result<Option<String>, String> {
        let Some(at) = columns.iter().position(|column| *column == name) else { return Ok(None) };
        let text = std::str::from_utf8(&record[at]).map_err(|_| format!("{name} is not in UTF-8"))?;
        if text.contains(['\r', '\n']) {
            return Err(format!("{name} goes over several lines; is a quotation mark missing?"));
        }
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    };
    let (sha, tag, branch) = (field("sha")?, field("tag")?, field("branch")?);
    if [&sha, &tag, &branch].into_iter().flatten().count() != 1 {
        return Err("one of sha, tag and branch must be given".to_owned());
    }
    let date = field("date")?.ok_or("date must be given")?;
    let date = date.parse().map_err(|_| format!("date must be a time like 2026-11-22T10:00:00Z, not {date:?}"))?;
    Ok(Line {
        sha,
        tag,
        branch,
        date,
        environment: field("environment")?,
        binding: field("binding")?,
        author: field("author")?,
    })
}

/// Counts lines as an editor does: ended by LF, CR LF or CR. The reader counts LF alone, and sees the LF of a CR LF only
/// with the record after it.
struct Numbers<'a> {
    text: &'a [u8],
    at: usize,
    number: u64,
}

impl<'a> Numbers<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { text, at: 0, number: 1 }
    }

    /// The number of the line in which a record begins that is found from this byte on; asked in rising order.
    fn at(&mut self, byte: u64) -> u64 {
        let from = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(&one) = self.text.get(self.at)
            && (self.at < from || matches!(one, b'\r' | b'\n'))
        {
            let is_half = one == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
            self.number += u64::from(matches!(one, b'\r' | b'\n') && !is_half);
            self.at += 1;
        }
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> Vec<(u64, String)> {
        let name = |line: Line| line.sha.or(line.tag).or(line.branch).unwrap();
        read(text).unwrap().told.into_iter().map(|(number, line)| (number, name(line))).collect()
    }

    #[test]
    fn lines_are_read_by_the_names_of_their_columns_and_put_in_order() {
        let text = b"date, sha ,environment\n2026-02-01T00:00:00Z,b,production\n2026-01-01T00:00:00Z,a,\n";
        assert_eq!(told(text), [(3, "a".to_owned()), (2, "b".to_owned())]);
        assert_eq!(read(text).unwrap().told[0].1.environment, None);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_reported_and_the_others_are_told() {
        let text = b"sha,tag,date,author\n\
            a,,2026-01-01T00:00:00Z,Ada\n\
            b,,yesterday,Ada\n\
            c,2026-01-01T00:00:00Z\n\
            d,,2026-01-01T00:00:00Z,Ada,more\n\
            e,,2026-01-01T00:00:00Z,\xff\xfe\n\
            ,,2026-01-01T00:00:00Z,\n\
            f,f,2026-01-01T00:00:00Z,\n\
            g,,,\n\
            h,,2026-01-02T00:00:00Z,\n\
            i,,2026-01-01T00:00:00Z,\"Ada\nj,,2026-01-01T00:00:00Z,Ada\n";
        let lines = read(text).unwrap();
        assert_eq!(told(text), [(2, "a".to_owned()), (10, "h".to_owned())]);
        let expected = [
            (3, "date must be a time like 2026-11-22T10:00:00Z, not \"yesterday\""),
            (4, "has 2 fields, and the first line names 4 columns"),
            (5, "has 5 fields, and the first line names 4 columns"),
            (6, "author is not in UTF-8"),
            (7, "one of sha, tag and branch must be given"),
            (8, "one of sha, tag and branch must be given"),
            (9, "date must be given"),
            (11, "author goes over several lines; is a quotation mark missing?"),
        ];
        assert_eq!(lines.unreadable, expected.map(|(number, why)| (number, why.to_owned())));
    }

    #[test]
    fn lines_are_counted_as_an_editor_does_whatever_ends_them() {
        let text =
            "\u{feff}sha,date\n\na,2026-01-01T00:00:00Z\n\"b\",\"2026-01-02T00:00:00Z\"\n\n\nc,2026-01-03T00:00:00Z";
        for end in ["\n", "\r\n", "\r"] {
            let numbers: Vec<u64> = told(text.replace('\n', end).as_bytes()).into_iter().map(|(n, _)| n).collect();
            assert_eq!(numbers, [3, 4, 7], "{end:?}");
        }
        assert_eq!(
            told(b"sha,date\r\na,2026-01-01T00:00:00Z\nb,2026-01-02T00:00:00Z\rc,2026-01-03T00:00:00Z\r\n")[2].0,
            4
        );
    }

    #[test]
    fn a_file_of_which_nothing_could_be_told_says_why() {
        for (text, words) in [
            ("", "it is empty"),
            ("\n\n", "it is empty"),
            ("sha,date\n", "no line after"),
            ("sha,date\r\n\r\n", "no line after"),
            ("sha\na\n", "the column date"),
            ("date\n2026-01-01T00:00:00Z\n", "none of the columns sha"),
            ("sha,date,enviroment,\n", "names \"enviroment\", \"\"; the columns are sha, tag,"),
            ("sha,date,sha\n", "names sha a second time"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
