//! Terraform files by their structure, so that a test asserts what a file says and not how it is laid out.

use hcl::{Block, Body, Expression};

use crate::repository::{self, ReadError};

/// Why there is no structure.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is no Terraform.
    #[error("`{path}` is no Terraform")]
    NoTerraform {
        /// The path from the root.
        path: String,
        /// Where it breaks off.
        #[source]
        source: hcl::Error,
    },
}

/// A Terraform file, by its path from the root.
///
/// # Errors
/// [`TerraformError`] where it cannot be read or parsed.
pub fn parse(path: &str) -> Result<Body, TerraformError> {
    let text = repository::read(path)?;
    hcl::parse(&text).map_err(|source| TerraformError::NoTerraform { path: path.to_owned(), source })
}

/// The block of a kind with these labels: `block(&body, "resource", &["aws_sns_topic", "alerts"])`.
#[must_use]
pub fn block<'a>(body: &'a Body, kind: &str, labels: &[&str]) -> Option<&'a Block> {
    body.blocks()
        .find(|block| block.identifier() == kind && block.labels().iter().map(hcl::BlockLabel::as_str).eq(labels.iter().copied()))
}

/// The value of an attribute.
#[must_use]
pub fn attribute<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    body.attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr)
}

/// The value of a local.
#[must_use]
pub fn local<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    body.blocks().filter(|block| block.identifier() == "locals").find_map(|block| attribute(block.body(), name))
}
