//! Failures on standard error: the faults of a file with the lines they are in, any other failure in one line.

use std::io::{self, IsTerminal as _, Write as _};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use cordon_bundle::{BundleError, Faults, ReadError};
use cordon_core::chain;
use cordon_core::config::ConfigError;

use cordon_record::text::visible;

use crate::failure::Failure;

/// Prints a failure. A terminal that is closed meanwhile is no failure of its own.
pub fn print(failure: &Failure) {
    let plain = !io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    let renderer = if plain { Renderer::plain() } else { Renderer::styled() };
    let _closed = io::stderr().write_all(text(failure, &renderer).as_bytes());
}

fn text(failure: &Failure, renderer: &Renderer) -> String {
    match failure {
        Failure::Bundle(BundleError::Faults(Faults { config, rules })) => {
            let mut text: String = config.iter().map(|config| excerpts(config, renderer)).collect();
            let count = rules.len() + config.as_ref().map_or(0, |config| config.faults().len());
            for rule in rules {
                text += &format!("error: {rule}\n");
            }
            text + &summary(count)
        }
        Failure::Bundle(BundleError::Read(ReadError::Config(config))) | Failure::Read(ReadError::Config(config)) => {
            excerpts(config, renderer) + &summary(config.faults().len())
        }
        // What AWS answers and what an incident holds is somebody else's text.
        Failure::Caller(_) | Failure::Incident(_) | Failure::Record(_) | Failure::Exception(_) | Failure::Switch(_) => {
            format!("cordon: {}\n", visible(&chain(failure)))
        }
        other => format!("cordon: {}\n", chain(other)),
    }
}

fn summary(faults: usize) -> String {
    let errors = if faults == 1 { "1 error".to_owned() } else { format!("{faults} errors") };
    format!("cordon: {errors}; correct them and run `cordon check`\n")
}

/// Each fault with its line, as compilers show it.
fn excerpts(config: &ConfigError, renderer: &Renderer) -> String {
    let mut text = String::new();
    for fault in config.faults() {
        let place = Snippet::source(config.text()).path(config.file()).annotation(AnnotationKind::Primary.span(fault.span()));
        let mut group = Level::ERROR.primary_title(fault.problem().to_string()).element(place);
        if let Some(fix) = fault.problem().fix() {
            group = group.element(Level::HELP.message(fix));
        }
        text += &renderer.render(&[group]);
        text += "\n\n";
    }
    text
}
