//! What a newcomer waits for: the README's two commands compile every crate once, and share it.
//!
//! Cargo compiles a crate anew for every other set of features. `cargo run` and the sandbox's build of the functions choose features
//! for all default members, `cargo test --workspace` for the dev-dependencies as well. The two agree because the default members are
//! all members, and because `cordon-tests` names as plain dependencies what would else add a feature only for tests.

use std::collections::BTreeSet;
use std::process::Command;

use cordon_tests::repository;

/// A crate with its version and the features that it is compiled with.
type Compiled = BTreeSet<String>;

fn compiled(arguments: &[&str]) -> Compiled {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p} {f}"])
        .args(arguments)
        .current_dir(repository::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Cargo marks a line whose dependencies it has shown before.
    let lines = |text: &str| text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect::<Compiled>();
    lines(&String::from_utf8_lossy(&output.stdout))
}

fn compiled_again(first: &Compiled, second: &Compiled) -> Vec<String> {
    first
        .difference(second)
        .map(|line| {
            let package: String = line.split_inclusive(' ').take(2).collect();
            let others: Vec<&str> = second.iter().filter_map(|other| other.strip_prefix(&package)).collect();
            format!("`{}` has other features for `cargo run` than for `cargo test`: [{line}], not {others:?}", package.trim())
        })
        .collect()
}

#[test]
fn the_tests_compile_no_crate_that_the_command_and_the_functions_have_compiled() {
    let run = compiled(&["--edges", "normal,build"]);
    assert!(run.iter().any(|line| line.starts_with("aws-sdk-iam ")), "`cargo tree` shows no dependencies: {run:?}");
    let test = compiled(&["--workspace", "--edges", "normal,build,dev"]);
    let faults = compiled_again(&run, &test);
    assert!(
        faults.is_empty(),
        "\n{}\ngive the feature to the dependency in the root's Cargo.toml, or name the crate that wants it in tests/Cargo.toml\n",
        faults.join("\n")
    );
}

#[test]
fn a_feature_that_only_tests_want_is_noticed() {
    let set = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Compiled>();
    let test = set(&["syn v2.0.119 full,visit", "insta v1.49.0 json"]);
    assert_eq!(compiled_again(&set(&["syn v2.0.119 full,visit"]), &test), Vec::<String>::new());
    let faults = compiled_again(&set(&["syn v2.0.119 full"]), &test);
    assert!(faults.len() == 1 && faults[0].starts_with("`syn v2.0.119` has other features"), "{faults:?}");
}
