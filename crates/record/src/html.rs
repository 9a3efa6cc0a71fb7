//! The record as one page: no script, nothing from outside, fit to be printed.
//!
//! INVARIANT: every text goes through [`escape`]. The page's own policy forbids scripts and any address besides, so that a text
//! which slipped through would still do nothing.

use std::fmt::Write as _;

use crate::page::{Block, Page, Section, Text, page};
use crate::record::Record;
use crate::text::visible;

const STYLE: &str = include_str!("page.css");

/// The whole record.
#[must_use]
pub fn html(record: &Record) -> String {
    let page = page(record);
    let mut out = String::with_capacity(16 * 1024);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>Incident {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&page.incident)
    );
    header(&mut out, &page);
    for section in &page.sections {
        write_section(&mut out, section);
    }
    let _ = write!(out, "<footer>{}</footer>\n</main>\n</body>\n</html>\n", escape(&page.exported));
    out
}

fn header(out: &mut String, page: &Page) {
    let _ = write!(
        out,
        "<header>\n<h1>Incident <span class=\"id\">{}</span></h1>\n<p class=\"headline\"><code>{}</code></p>\n\
         <p><span class=\"badge {}\">{}</span> <span class=\"badge\">{}</span></p>\n\
         <p class=\"verdict {}\" role=\"status\">{}</p>\n</header>\n",
        escape(&page.incident),
        escape(&page.headline),
        escape(&page.severity),
        escape(&page.severity),
        escape(&page.status),
        if page.intact { "intact" } else { "broken" },
        escape(&page.verdict)
    );
}

fn write_section(out: &mut String, section: &Section) {
    let _ = writeln!(out, "<section>\n<h2>{}</h2>", escape(section.title));
    for block in &section.blocks {
        match block {
            Block::Title(title) => {
                let _ = writeln!(out, "<h3>{}</h3>", escape(title));
            }
            Block::Note(note) => {
                let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(note));
            }
            Block::Facts(facts) => {
                out.push_str("<dl>\n");
                for (label, text) in facts {
                    let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(label), inline(text));
                }
                out.push_str("</dl>\n");
            }
            Block::Table { columns, rows } => write_table(out, columns, rows),
        }
    }
    out.push_str("</section>\n");
}

fn write_table(out: &mut String, columns: &[&str], rows: &[Vec<Text>]) {
    out.push_str("<table>\n<thead><tr>");
    for column in columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for text in row {
            let _ = write!(out, "<td>{}</td>", inline(text));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

fn inline(text: &Text) -> String {
    match text {
        Text::Ours(text) => escape(text),
        Text::Theirs(text) | Text::Said(text) if text.is_empty() => "–".to_owned(),
        Text::Said(text) => format!("<bdi>{}</bdi>", escape(text)),
        Text::Theirs(text) => format!("<code>{}</code>", escape(text)),
    }
}

/// A text as it may stand between tags and in a quoted attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
