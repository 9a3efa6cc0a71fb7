//! Whether the modules and items that ARCHITECTURE.md names in backticks, such as `detect::enrich`, are in the code.
//!
//! It compares names with declarations. It never resolves paths as the compiler does: an item of that name has to be declared
//! somewhere in the crate.

use cordon_tests::repository::SourceFile;

const PAGE: &str = "ARCHITECTURE.md";
const DECLARED_BY: [&str; 7] = ["mod", "fn", "struct", "enum", "trait", "type", "const"];

/// Names of the page that nothing declares.
pub fn unknown(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(page) = files.iter().find(|file| file.path == PAGE) else { return faults };
    let mut in_code = false;
    for (number, line) in page.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let spans = line.split('`').skip(1).step_by(2).filter(|_| !in_code);
        for path in spans.filter(|span| is_item(span)) {
            let missing = missing_part(files, path);
            faults.extend(missing.map(|part| {
                format!("{PAGE}:{number} names `{path}`, and nothing in its crate declares `{part}`: correct the name")
            }));
        }
    }
    faults
}

/// `detect::RuleBook::evaluate`, or `Route::is_automatic` of any crate.
fn is_item(span: &str) -> bool {
    let is_identifier = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    span.contains("::") && span.split("::").all(is_identifier)
}

fn missing_part<'a>(files: &[SourceFile], path: &'a str) -> Option<&'a str> {
    let (first, rest) = path.split_once("::")?;
    let is_crate = first.starts_with(|letter: char| letter.is_ascii_lowercase());
    let folder = if is_crate {
        format!("crates/{}/src/", first.strip_prefix("cordon_").unwrap_or(first).replace('_', "-"))
    } else {
        "crates/".to_owned()
    };
    let source: Vec<&SourceFile> =
        files.iter().filter(|file| file.has_extension("rs") && file.path.starts_with(&folder)).collect();
    let mut parts = rest.split("::").chain((!is_crate).then_some(first));
    parts.find(|part| !source.iter().any(|file| file.lines().any(|(_, line)| declares(line, part))))
}

/// Whether a line declares the name: `pub async fn name(`, `mod name;`.
fn declares(line: &str, name: &str) -> bool {
    let words: Vec<&str> = line.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).collect();
    words.windows(2).any(|pair| matches!(pair, [keyword, found] if DECLARED_BY.contains(keyword) && *found == name))
}

mod tests {
    use super::*;

    #[test]
    fn a_name_that_nothing_declares_is_noticed_and_nothing_else_is() {
        let source =
            SourceFile::new("crates/json-scan/src/lib.rs", "pub struct Scanner;\nimpl Scanner {\n    pub fn new() {}\n}\n");
        let found = |page: &str| unknown(&[SourceFile::new(PAGE, page), source.clone()]);
        for known in
            ["`json_scan::Scanner`", "`json_scan::Scanner::new`", "`Scanner::new`", "`aws.*` `OPEN#<a::b>` json_scan::Gone"]
        {
            assert_eq!(found(known), Vec::<String>::new(), "{known}");
        }
        assert_eq!(found("```\n`json_scan::Gone`\n```\n"), Vec::<String>::new());
        for (page, says) in [
            ("see `json_scan::Gone`", "`Gone`"),
            ("see `json_scan::Scanner::old`", "`old`"),
            ("see `gone::Scanner`", "`Scanner`"),
            ("see `Scanner::old`", "`old`"),
        ] {
            let faults = found(page);
            assert!(faults.len() == 1 && faults[0].contains(says), "{page}: {faults:?}");
        }
    }
}
