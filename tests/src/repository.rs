//! The repository's own files, as a clean clone has them.
//!
//! Never build products, never what a developer or Terraform left behind: those folders and names stand in `.gitignore`.

use std::path::{Path, PathBuf};
use std::{fs, io};

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
    /// Its content.
    pub text: String,
}

impl SourceFile {
    /// A file with this content, which need not exist.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Whether its name ends with `.` and this extension.
    #[must_use]
    pub fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The lines, counted from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// A file or folder of the repository that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read")]
pub struct ReadError {
    /// From the root; empty for the root itself.
    pub path: String,
    /// The operating system's reason.
    #[source]
    pub source: io::Error,
}

impl ReadError {
    fn of(path: &str) -> impl Fn(io::Error) -> Self {
        move |source| Self { path: path.to_owned(), source }
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
/// [`ReadError`] where there is no such file, or it is no text.
pub fn read(path: &str) -> Result<String, ReadError> {
    fs::read_to_string(root().join(path)).map_err(ReadError::of(path))
}

/// Every text file, in the order of their paths.
///
/// # Errors
/// [`ReadError`] for the first folder or file that cannot be read.
pub fn files() -> Result<Vec<SourceFile>, ReadError> {
    let mut files = Vec::new();
    walk(&root(), "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<(), ReadError> {
    let unreadable = ReadError::of(prefix);
    for entry in fs::read_dir(folder).map_err(&unreadable)? {
        let entry = entry.map_err(&unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(&unreadable)?;
        if kind.is_dir() {
            let hidden = name.starts_with('.') && !HIDDEN_FOLDERS.contains(&name.as_str());
            if !hidden && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind.is_file() && !is_left_behind(&name) {
            let bytes = fs::read(entry.path()).map_err(ReadError::of(&path))?;
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
