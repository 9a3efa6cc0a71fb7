//! Decides how the record looks as one HTML page: no script, nothing from outside, fit to be printed.
//!
//! INVARIANT: the template escapes every text by itself, and uses no `safe` filter. The page's own policy forbids scripts and
//! any address besides, so that a text which slipped through would still do nothing.

use askama::Template;

use crate::page::{Block, Page, Text};
use crate::record::IncidentReport;

#[derive(Template)]
#[template(path = "record.html")]
struct Html {
    page: Page,
}

/// The whole record as a page of HTML, with its style inside.
#[must_use]
pub fn html(record: &IncidentReport) -> String {
    Html { page: Page::of(record) }.to_string()
}
