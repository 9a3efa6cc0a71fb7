//! Whether docs/scenarios.md and the tests that are named for its rows agree.
//!
//! It decides by names alone: a scenario has a test where a function `scenario_NN_…` stands in the linked file. It never judges
//! what the test asserts.

use std::collections::BTreeSet;

use cordon_tests::repository::SourceFile;

pub const PAGE: &str = "docs/scenarios.md";

/// The rows of each table of the page, and those of them that have no test yet.
const TABLES: [(&str, u32, &[u32]); 2] = [("scenario_", 32, &[]), ("origin_", 5, &[5])];

/// A test function: its name, and the file from the root.
type Test = (String, String);

/// Rows without a test, tests without a row, and links to a file that does not have the test.
pub fn faults(files: &[SourceFile]) -> Vec<String> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else {
        return vec![format!("{PAGE} is missing: list the scenarios that tests are named for")];
    };
    let told: BTreeSet<Test> = page.lines().flat_map(|(_, line)| linked(line)).collect();
    let there: BTreeSet<Test> = files.iter().filter(|file| file.has_extension("rs")).flat_map(declared).collect();
    let mut faults: Vec<String> =
        there.difference(&told).map(|(test, file)| format!("{PAGE} does not list `{test}` of {file}: link it there")).collect();
    faults.extend(told.difference(&there).map(|(test, file)| format!("{PAGE} lists `{test}`, which is not in {file}")));
    for (prefix, rows, without) in TABLES {
        let tested: BTreeSet<u32> = there.iter().filter_map(|(test, _)| row(test, prefix)).collect();
        faults.extend(tested.iter().filter(|found| **found == 0 || **found > rows).map(|found| {
            format!("there is no row {found} for the tests `{prefix}{found}_…`: add it to {PAGE}, or correct their names")
        }));
        for expected in 1..=rows {
            match (tested.contains(&expected), without.contains(&expected)) {
                (false, false) => {
                    faults.push(format!("row {expected} of {PAGE} has no test: write one `{prefix}{expected:02}_…`"));
                }
                (true, true) => faults.push(format!(
                    "row {expected} has a test `{prefix}{expected}_…` now: take it out of TABLES, and say so in {PAGE}"
                )),
                _ => {}
            }
        }
    }
    faults
}

/// ``[`test`](../file)`` on a line of the page.
fn linked(line: &str) -> impl Iterator<Item = Test> {
    line.split("[`").skip(1).filter_map(|rest| {
        let (test, rest) = rest.split_once("`](../")?;
        let (file, _) = rest.split_once(')')?;
        Some((test.to_owned(), file.to_owned()))
    })
}

fn declared(file: &SourceFile) -> impl Iterator<Item = Test> {
    file.lines().filter_map(|(_, line)| {
        let line = line.trim_start();
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        let name = rest.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).next()?;
        let is_named_for_a_row = TABLES.iter().any(|(prefix, ..)| row(name, prefix).is_some());
        is_named_for_a_row.then(|| (name.to_owned(), file.path.clone()))
    })
}

/// 7 of `scenario_07_nobody_answers`.
fn row(test: &str, prefix: &str) -> Option<u32> {
    let (number, _) = test.strip_prefix(prefix)?.split_once('_')?;
    number.parse().ok()
}

mod tests {
    use super::*;

    /// A page and a file of tests with everything that is expected.
    fn whole() -> (String, String) {
        let mut page = String::new();
        let mut tests = String::new();
        for (prefix, rows, without) in TABLES {
            for number in (1..=rows).filter(|number| !without.contains(number)) {
                page += &format!("| {number} | given | then | [`{prefix}{number:02}_holds`](../tests/a.rs) |\n");
                tests += &format!("    async fn {prefix}{number:02}_holds() -> Test {{\n");
            }
        }
        (page, tests)
    }

    fn found(page: &str, tests: &str) -> Vec<String> {
        faults(&[SourceFile::new(PAGE, page), SourceFile::new("tests/a.rs", tests)])
    }

    #[test]
    fn each_difference_between_page_and_tests_is_noticed() {
        let (page, tests) = whole();
        assert_eq!(found(&page, &tests), Vec::<String>::new());
        let rows = [
            (page.replacen("scenario_05_holds", "scenario_05_held", 1), tests.clone(), "does not list `scenario_05_holds`"),
            (
                page.replace("| 6 | given | then | [`scenario_06_holds`](../tests/a.rs) |\n", ""),
                tests.clone(),
                "`scenario_06_holds`",
            ),
            (page.replacen("tests/a.rs", "tests/b.rs", 1), tests.clone(), "`scenario_01_holds`, which is not in tests/b.rs"),
            (page.clone(), tests.replacen("scenario_07_holds", "another", 1), "row 7"),
            (page.clone(), format!("{tests}fn scenario_33_more() {{\n"), "there is no row 33"),
            (page.clone(), format!("{tests}async fn origin_5_keys() {{\n"), "row 5 has a test"),
        ];
        for (page, tests, says) in rows {
            let faults = found(&page, &tests);
            assert!(faults.iter().any(|fault| fault.contains(says)), "{says}: {faults:#?}");
        }
        assert!(faults(&[])[0].contains("is missing"));
    }
}
