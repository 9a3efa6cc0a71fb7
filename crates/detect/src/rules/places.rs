//! The lines of a rule file's keys and texts, for errors of parsers that do not say where they found a fault: Sigma's says what,
//! never where.
//!
//! INVARIANT: the lines come from a YAML parser, so a comment is never taken for a key, nor a key of a case for one of the rule.

use saphyr_parser::{Event, Parser};

/// A key or a text of a YAML document.
struct Node {
    text: String,
    /// Counted from 1.
    line: usize,
    is_key: bool,
    /// How many mappings and lists it is in.
    depth: usize,
    /// The key at the top that it is below.
    section: String,
}

/// Whether the next node of each open mapping is a key; `None` for a list.
type Open = Vec<Option<bool>>;

/// Every key and text, as far as the document can be parsed.
fn nodes(text: &str) -> Vec<Node> {
    let (mut nodes, mut open, mut section) = (Vec::new(), Open::new(), String::new());
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        match event {
            Event::Scalar(text, ..) => {
                let is_key = takes_key(&mut open);
                if is_key && open.len() == 1 {
                    section = text.to_string();
                }
                let (line, depth) = (span.start.line(), open.len());
                nodes.push(Node { text: text.into_owned(), line, is_key, depth, section: section.clone() });
            }
            Event::Alias(_) => {
                takes_key(&mut open);
            }
            Event::MappingStart(..) => {
                takes_key(&mut open);
                open.push(Some(true));
            }
            Event::SequenceStart(..) => {
                takes_key(&mut open);
                open.push(None);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
    }
    nodes
}

/// Whether the node that begins here is a key of its mapping.
fn takes_key(open: &mut Open) -> bool {
    match open.last_mut() {
        Some(Some(key)) => std::mem::replace(key, !*key),
        Some(None) | None => false,
    }
}

/// The line of a mapping's key, the outermost one of that name.
pub(super) fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let keys = nodes(text).into_iter().filter(|node| node.is_key && node.text == key);
    keys.min_by_key(|node| node.depth).map(|node| node.line)
}

/// The line of a word that a fault of Sigma's part quotes: in `detection` or `correlation` first, because a description may use
/// the same word, and there a whole key or text first.
pub(super) fn line_of_word(text: &str, word: &str) -> Option<usize> {
    let nodes = nodes(text);
    let inner = |node: &&Node| ["detection", "correlation"].contains(&node.section.as_str());
    let found = nodes
        .iter()
        .filter(inner)
        .find(|node| node.text == word)
        .or_else(|| nodes.iter().filter(inner).find(|node| node.text.contains(word)))
        .or_else(|| nodes.iter().find(|node| node.text == word))
        .or_else(|| nodes.iter().find(|node| node.text.contains(word)));
    found.map(|node| node.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "\
# response: none, condition: selection
title: A condition was seen
description: |
    response: see name
    selektion is spelt wrong
cases:
    - hit: {name: x, response: {detection: y}}
detection:
    # condition: selektion
    selection: {eventName|contain: selektion-x}
    other:
        - a
        - selektion
    condition: selection and selektion
name: user-made
response:
    contain: [deny-iam]
";

    #[test]
    fn a_key_is_found_where_the_rule_has_it_and_not_in_a_comment_a_text_or_a_case() {
        let check = |key: &str, line: Option<usize>| assert_eq!(line_of_key(RULE, key), line, "{key}");
        check("title", Some(2));
        check("response", Some(16));
        check("name", Some(15));
        check("detection", Some(8));
        check("condition", Some(14));
        check("contain", Some(17));
        check("level", None);
    }

    #[test]
    fn a_word_is_found_in_the_detection_first() {
        let check = |word: &str, line: Option<usize>| assert_eq!(line_of_word(RULE, word), line, "{word}");
        check("contain", Some(10));
        check("selektion", Some(13));
        check("selection and selektion", Some(14));
        check("spelt wrong", Some(4));
        check("nowhere", None);
        assert_eq!(line_of_word("detection:\n  a: b\n  c: [\n", "b"), Some(2), "a document that breaks off");
    }
}
