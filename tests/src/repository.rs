//! The repository's own files, as a clean clone has them.
//!
//! Never build products, never what a developer or Terraform left behind: those folders and names stand in `.gitignore`.

use std::fs;
use std::path::{Path, PathBuf};

/// Build products at the top, and what any tool leaves in any folder.
const SKIPPED_FOLDERS: [&str; 4] = ["target", "dist", "__pycache__", "node_modules"];
/// Of the hidden folders, those that are ours.
const HIDDEN_FOLDERS: [&str; 2] = [".ci", ".github"];
/// The choices of a deployment, the files that Terraform writes, and git's own file in a linked worktree.
const SKIPPED_FILES: [&str; 5] = ["backend.hcl", "terraform.tfvars", ".terraform.lock.hcl", ".DS_Store", ".git"];

/// A text file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// From the root, with `/`.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    #[must_use]
    pub fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The lines, counted from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// One file's text, by its path from the root.
///
/// # Errors
/// The path and the cause.
pub fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("`{path}` cannot be read: {error}"))
}

/// Every text file, in the order of their paths.
///
/// # Errors
/// The folder or file that cannot be read, and the cause.
pub fn files() -> Result<Vec<SourceFile>, String> {
    let mut files = Vec::new();
    walk(&root(), "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("the folder `{prefix}` cannot be read: {error}");
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            let hidden = name.starts_with('.') && !HIDDEN_FOLDERS.contains(&name.as_str());
            if !hidden && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind.is_file() && !is_left_behind(&name) {
            let bytes = fs::read(entry.path()).map_err(|error| format!("`{path}` cannot be read: {error}"))?;
            // What is no text is no source either.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(SourceFile { path, text });
            }
        }
    }
    Ok(())
}

fn is_left_behind(name: &str) -> bool {
    SKIPPED_FILES.contains(&name) || name.contains(".tfstate") || name.ends_with(".tfplan")
}
