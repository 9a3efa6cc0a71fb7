//! An export can be verified, omits nothing, reveals no secret, and runs nothing.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_core::Outcome;
use cordon_record::verify::{Fault, check};
use cordon_record::{export, html, markdown};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::{Value, json};
use support::{HOSTILE, closed, decided, hostile, opened, record, user};

fn contained() -> cordon_record::IncidentReport {
    record(closed(decided(opened(user("iam-test-mallory"), "iam-test-mallory")), Outcome::Contained))
}

#[test]
fn the_three_formats_read_as_these() {
    let record = contained();
    let shown = |text: String| text.replace(concat!("cordon ", env!("CARGO_PKG_VERSION")), "cordon VERSION");
    insta::assert_snapshot!("markdown", shown(markdown::markdown(&record)));
    insta::assert_snapshot!("html", shown(html::html(&record)));
    insta::assert_snapshot!("json", shown(serde_json::to_string_pretty(&export::json(&record)).unwrap()));
}

#[test]
fn an_export_is_checked_without_aws_and_against_a_hash_kept_elsewhere() {
    let record = contained();
    let text = export::json(&record).to_string();
    let intact = check(&text, None).unwrap();
    assert_eq!((intact.entries, intact.anchored_at), (7, None));
    assert_eq!(intact.last_hash, record.incident.last_hash);
    // Pretty or not, and whatever order its keys have: the hashes are over the values.
    let pretty = serde_json::to_string_pretty(&export::json(&record)).unwrap();
    let kept = record.timeline[2].hash.to_uppercase();
    assert_eq!(check(&pretty, Some(&format!(" {kept}\n"))).unwrap().anchored_at, Some(3));
    assert_eq!(check(&text, Some(&"0".repeat(64))), Err(Fault::NotAnchored("0".repeat(64))));
}

#[test]
fn what_was_changed_in_a_file_is_found_where_it_is() {
    let good = export::json(&contained());
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut file = good.clone();
        change(&mut file);
        check(&file.to_string(), None).unwrap_err().to_string()
    };
    type Change<'a> = &'a dyn Fn(&mut Value);
    let rows: [(Change<'_>, &str); 12] = [
        (&|file| file["timeline"][3]["by"] = json!("U0EVE"), "at entry 4"),
        (&|file| file["timeline"][1]["data"]["route"] = json!("exempt"), "at entry 2"),
        (&|file| file["timeline"][0]["note"] = json!("a text that no hash covers"), "at entry 1"),
        (&|file| file["timeline"].as_array_mut().unwrap().swap(1, 2), "at entry 2"),
        (&|file| drop(file["timeline"].as_array_mut().unwrap().remove(4)), "at entry 5"),
        (&|file| drop(file["timeline"].as_array_mut().unwrap().pop()), "at entry 7"),
        (&|file| file["timeline"] = json!([]), "at entry 1"),
        (&|file| file["incident"]["outcome"] = json!("denied"), "outcome the file says `denied`, its timeline says `contained`"),
        (&|file| file["incident"]["event"]["id"] = json!("another"), "event the file says `another`"),
        (&|file| file["incident"]["subject"]["text"] = json!("arn:x"), "subject the file says `arn:x`"),
        (&|file| file["schema"] = json!("cordon.alert.v1"), "no export"),
        (&|file| file["chain"] = json!({"verdict": "intact"}), "no export"),
    ];
    for (change, says) in rows {
        let error = broken(change);
        assert!(error.contains(says), "{says}: {error}");
    }
    assert!(matches!(check("[1, 2", None), Err(Fault::NotAnExport(_))));
}

#[test]
fn a_broken_chain_is_exported_and_says_where_it_breaks() {
    let mut record = contained();
    record.timeline[3].by = "U0EVE".to_owned();
    let file = export::json(&record);
    assert_eq!((&file["chain"]["verdict"], &file["chain"]["broken_at"]), (&json!("broken"), &json!(4)));
    assert!(file["chain"]["reason"].as_str().unwrap().contains("hash"));
    for text in [markdown::markdown(&record), html::html(&record)] {
        assert!(text.contains("THE CHAIN OF HASHES IS BROKEN: the timeline breaks at entry 4"), "{text}");
    }
    assert!(html::html(&record).contains("class=\"verdict broken\""));
}

#[test]
fn an_attackers_texts_are_shown_in_markdown_and_are_nothing_but_text() {
    let text = markdown::markdown(&record(hostile()));
    let allowed = |event: &Event<'_>| match event {
        Event::Start(tag) => {
            matches!(tag, Tag::Heading { .. } | Tag::Paragraph | Tag::List(_) | Tag::Item | Tag::Strong | Tag::BlockQuote(_))
        }
        Event::Html(_) | Event::InlineHtml(_) | Event::InlineMath(_) | Event::DisplayMath(_) | Event::FootnoteReference(_) => {
            false
        }
        _ => true,
    };
    let mut shown = 0;
    let mut headings = 0;
    for event in Parser::new_ext(&text, Options::all()) {
        assert!(allowed(&event), "{event:?}");
        match &event {
            Event::Code(code) if code.contains("onerror=alert(2)") => shown += 1,
            Event::Text(text) => assert!(!text.contains("evil.example") && !text.contains("@here"), "{text}"),
            Event::Start(Tag::Heading { .. }) => headings += 1,
            _ => {}
        }
    }
    assert!(shown > 80, "{shown}");
    assert_eq!(headings, 1 + 6 + 2);
}

#[test]
fn an_attackers_texts_open_no_tag_and_leave_no_attribute() {
    let page = html::html(&record(hostile()));
    for forbidden in ["<script", "<img", "<!--", "javascript:", "\u{202e}", "\u{1b}", " src=", " href=", "@import", "url("] {
        let hits = page.matches(forbidden).count();
        // The attacker's own ` src=` stands there as text, behind an escaped `<`.
        let as_text = page.matches("&#60;img src=x").count();
        assert_eq!(hits, if forbidden == " src=" { as_text } else { 0 }, "{forbidden}");
    }
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page.matches("</html>").count(), 1);
}

#[test]
fn no_character_that_a_reader_does_not_see_is_in_a_page() {
    let mut incident = opened(user("bob"), "bob");
    // Tags spell out text that nothing shows; a variation selector can carry a byte; a filler is blank.
    incident.event.user_agent = Some("aws-cli\u{e0049}\u{e0047}\u{e004e}\u{fe0f}\u{3164}\u{ad}/2".to_owned());
    let record = record(incident);
    for text in [markdown::markdown(&record), html::html(&record)] {
        let unseen: Vec<char> = text.chars().filter(|c| *c != '\n' && cordon_text::is_unseen(*c)).collect();
        assert_eq!(unseen, Vec::<char>::new());
        assert!(text.contains("aws-cli\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}/2"), "{text}");
    }
}

#[test]
fn what_an_attacker_wrote_is_whole_in_the_json() {
    let file = export::json(&record(hostile()));
    assert_eq!(file["incident"]["event"]["user_agent"], json!(HOSTILE));
    assert!(check(&file.to_string(), None).is_ok());
}

#[test]
fn an_incident_of_which_little_is_known_is_exported_all_the_same() {
    let record = record(support::unreadable());
    for text in [markdown::markdown(&record), html::html(&record), export::json(&record).to_string()] {
        assert!(text.contains("the record has no") && text.contains(record.incident.id.as_str()), "{text}");
    }
}

proptest! {
    #[test]
    fn escaped_text_never_ends_what_it_stands_in(text in any::<String>()) {
        prop_assume!(!text.is_empty());
        let mut incident = opened(user("bob"), "bob");
        incident.event.user_agent = Some(text.clone());
        let page = html::html(&record(incident));
        let (_, value) = page.split_once("<dt>User agent</dt><dd><code>").unwrap();
        let (escaped, _) = value.split_once("</code></dd>\n").unwrap();
        prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
        let read = entities.iter().fold(escaped.to_owned(), |read, (entity, character)| read.replace(entity, character));
        prop_assert_eq!(read, cordon_record::text::visible(&text));
    }

    #[test]
    fn a_code_span_holds_any_text(text in "[`\\\\|*_<>\\[\\]()a !#@\n-]{1,40}") {
        prop_assume!(text.contains(|c| c != ' '));
        let mut incident = opened(user("bob"), "bob");
        incident.event.user_agent = Some(text.clone());
        let file = markdown::markdown(&record(incident));
        let wanted = cordon_record::text::visible(&text);
        let found = Parser::new(&file).any(|event| matches!(&event, Event::Code(code) if **code == *wanted));
        prop_assert!(found, "{file}");
    }
}
