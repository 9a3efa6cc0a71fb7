//! Links between the pages: each leads to a file and a heading that are there, and each path in code style is a file's.

use std::collections::{BTreeMap, BTreeSet};

use cordon_tests::repository::SourceFile;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A link or a path that a page names.
enum Named {
    /// The target of a link or an image.
    Link(String),
    /// A text in code style.
    Code(String),
}

/// The links and paths of every page that lead nowhere. `exists` answers for a path from the root.
pub fn dead(files: &[SourceFile], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let pages: Vec<&SourceFile> = files.iter().filter(|file| file.has_extension("md")).collect();
    let headings: BTreeMap<&str, BTreeSet<String>> = pages.iter().map(|page| (page.path.as_str(), anchors(&page.text))).collect();
    let mut faults = Vec::new();
    for page in &pages {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, named) in named(&page.text) {
            let place = format!("{}:{line}", page.path);
            match named {
                Named::Link(link) => {
                    let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
                    let target = if file.is_empty() { page.path.clone() } else { joined(folder, file) };
                    if !file.is_empty() && !exists(&target) {
                        faults.push(format!("{place} links `{link}`, which is not there: correct the link"));
                    } else if !anchor.is_empty() && headings.get(target.as_str()).is_some_and(|known| !known.contains(anchor)) {
                        faults.push(format!("{place} links `{link}`, and `{target}` has no such heading: correct the anchor"));
                    }
                }
                Named::Code(path) => {
                    // A file that the reader makes from an example of ours is not there, but its example is.
                    if !exists(&path) && !exists(&joined(folder, &path)) && !exists(&format!("{path}.example")) {
                        faults.push(format!("{place} names `{path}`, which is not there: correct the name"));
                    }
                }
            }
        }
    }
    faults
}

/// The relative links of a page, and its texts in code style that are paths of ours, with their lines.
fn named(text: &str) -> Vec<(usize, Named)> {
    let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    let named = events.filter_map(|(event, range)| {
        let named = match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) if is_relative(&dest_url) => {
                Named::Link(dest_url.into_string())
            }
            Event::Code(code) if is_ours(&code) => Named::Code(code.into_string()),
            _ => return None,
        };
        Some((line(range.start), named))
    });
    named.collect()
}

/// The anchors that GitHub gives a page's headings: in lower case, hyphens for spaces, no other punctuation but `-` and `_`, and
/// a number behind one that was there before.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            (Event::End(TagEnd::Heading(_)), _) => {
                let title = heading.take().unwrap_or_default();
                let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
                let anchor: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
                let numbered = (1..).map(|n| format!("{anchor}-{n}"));
                let free = std::iter::once(anchor.clone()).chain(numbered).find(|anchor| !anchors.contains(anchor));
                anchors.extend(free);
            }
            _ => {}
        }
    }
    anchors
}

fn is_relative(link: &str) -> bool {
    !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:")
}

/// Whether it is the path of a file or folder of ours, without wildcards or something to fill in.
fn is_ours(text: &str) -> bool {
    const FOLDERS: [&str; 7] = ["crates/", "docs/", "functions/", "infra/", "rules/", "statemachine/", "tests/"];
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    FOLDERS.iter().any(|folder| text.starts_with(folder)) && text.chars().all(plain)
}

fn joined(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

mod tests {
    use super::*;

    fn check(text: &str, says: &str) {
        let exists = |path: &str| ["docs/a.md", "README.md", "crates/core", "infra/x.hcl.example"].contains(&path);
        let other = SourceFile::new("docs/a.md", "# A page\n\n## Part\n\n## Part\n\n### The `code`, and more\n");
        let faults = dead(&[other, SourceFile::new("docs/b.md", text)], exists);
        let right = if says.is_empty() { faults.is_empty() } else { faults.len() == 1 && faults[0].contains(says) };
        assert!(right, "{text:?}, {says:?}: {faults:?}");
    }

    #[test]
    fn each_dead_link_is_noticed_and_nothing_else_is() {
        check("## Part\n[a](a.md) [a](./a.md#part) [r](../README.md) `crates/core` [w](https://example.org) [p](#part)", "");
        check("[a](../a.md)", "docs/b.md:1 links `../a.md`");
        check("a\n[a]\n\n[a]: gone.md", "docs/b.md:2 links `gone.md`");
        check("![a](gone.png)", "links `gone.png`");
        check("see `crates/gone`", "names `crates/gone`");
        check("write `infra/x.hcl`", "");
        check("see `rules/<group>/<id>.yml` and `crates/*`\n```\n[a](gone.md)\n```", "");
        check("`[a](gone.md)` is how a link is written", "");
    }

    #[test]
    fn each_heading_that_is_not_there_is_noticed() {
        check("[a](a.md#part-1) [a](a.md#the-code-and-more)", "");
        check("[a](a.md#parts)", "`docs/a.md` has no such heading");
        check("[a](a.md#part-2)", "`docs/a.md` has no such heading");
        check("[a](#part)", "`docs/b.md` has no such heading");
    }
}
