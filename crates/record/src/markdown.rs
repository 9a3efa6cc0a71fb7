//! Decides how the record looks as Markdown.
//!
//! INVARIANT: a text of somebody else stands inside a code span, whose fence is longer than any run of backticks in it. There
//! nothing formats, links, mentions or opens a tag.

use std::fmt::Write as _;

use crate::page::{Block, Page, Shown, Text};
use crate::record::IncidentReport;

/// The whole record as Markdown.
#[must_use]
pub fn markdown(record: &IncidentReport) -> String {
    let page = Page::of(record);
    let mut out = format!("# Incident {}\n\n{}\n\n", page.incident, code(&page.headline));
    let _ = writeln!(out, "- **Status:** {}\n- **Severity:** {}\n", escape(&page.status), escape(&page.severity));
    let _ = writeln!(out, "> {}\n\n{}", escape(&page.verdict), escape(&page.exported));
    for section in &page.sections {
        let _ = writeln!(out, "\n## {}", section.title);
        for block in &section.blocks {
            write_block(&mut out, block);
        }
    }
    out
}

fn write_block(out: &mut String, block: &Block) {
    out.push('\n');
    match block {
        Block::Title(title) => {
            let _ = writeln!(out, "### {}", escape(title));
        }
        Block::Note(note) => {
            let _ = writeln!(out, "{}", escape(note));
        }
        Block::Facts(facts) => {
            for (label, text) in facts {
                let _ = writeln!(out, "- **{}:** {}", escape(label), inline(text));
            }
        }
        // A list: a cell of a table would end at a bar, even inside a code span.
        Block::Table { rows, .. } => {
            for row in rows {
                let cells: Vec<String> = row.iter().map(inline).collect();
                let _ = writeln!(out, "- {}", cells.join(" · "));
            }
        }
    }
}

fn inline(text: &Text) -> String {
    match text {
        Text::Ours(text) => escape(text),
        Text::Theirs(text) | Text::Said(text) => code(text),
    }
}

/// A code span.
fn code(text: &Shown) -> String {
    if text.trim_matches(' ').is_empty() {
        return "–".to_owned();
    }
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // The blanks keep a backtick at either end from joining the fence; a span takes them off again.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Our own words, which may quote a rule or a person.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '|' | '~' | '!' | '@') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
