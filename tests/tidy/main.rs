//! The rules of the repository that no compiler and no linter keeps.
//!
//! Every check is a function from files to faults, so that its own tests can hand it a broken file.

#![cfg(test)]

mod builds;
mod infra;
mod layers;
mod links;
mod names;
mod remediator;
mod scenarios;
mod sources;
mod trees;
mod workspace;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cordon_tests::cargo::{self, Member};
use cordon_tests::machine;
use cordon_tests::repository::{self, SourceFile};
use cordon_tests::sentence;

fn files() -> &'static [SourceFile] {
    static FILES: OnceLock<Vec<SourceFile>> = OnceLock::new();
    FILES.get_or_init(|| repository::files().unwrap_or_else(|error| panic!("{}", sentence(&error))))
}

fn members() -> &'static BTreeMap<String, Member> {
    static MEMBERS: OnceLock<BTreeMap<String, Member>> = OnceLock::new();
    MEMBERS.get_or_init(|| cargo::members().unwrap_or_else(|error| panic!("{}", sentence(&error))))
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn dependencies_point_inwards_and_never_from_function_to_function() {
    assert_none(&workspace::directions(members()));
}

#[test]
fn keys_of_the_table_are_made_in_the_store_alone() {
    assert_none(&layers::keys_made_elsewhere(files()));
}

#[test]
fn no_modules_of_the_flow_or_the_store_import_each_other_in_a_circle() {
    assert_none(&layers::circles(files(), "crates/flow/src/"));
    assert_none(&layers::circles(files(), "crates/store/src/"));
}

#[test]
fn no_http_client_is_built_for_what_only_decides_or_shows() {
    assert_none(&trees::forbidden(trees::tree));
}

#[test]
fn every_manifest_takes_lints_licence_and_versions_from_the_workspace() {
    assert_none(&workspace::manifests(members(), |member| repository::read(&format!("{}/Cargo.toml", member.folder))));
}

#[test]
fn every_source_file_is_short_enough_to_see_whole() {
    assert_none(&sources::too_long(files()));
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    assert_none(&sources::without_purpose(files()));
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    assert_none(&sources::empty_names(files()));
}

#[test]
fn nothing_is_true_on_one_machine_only() {
    assert_none(&sources::machine_paths(files()));
}

#[test]
fn no_test_is_switched_off_and_nothing_is_left_unfinished() {
    assert_none(&sources::left_overs(files()));
}

#[test]
fn the_pages_that_people_look_for_are_there() {
    assert_none(&sources::missing_pages(files()));
}

#[test]
fn every_page_names_files_and_headings_that_are_there() {
    assert_none(&links::dead(files(), |path| repository::root().join(path).exists()));
}

#[test]
fn every_module_and_item_that_the_architecture_names_is_there() {
    assert_none(&names::unknown(files()));
}

#[test]
fn every_scenario_has_its_test_and_every_such_test_its_row() {
    assert_none(&scenarios::faults(files()));
}

#[test]
fn no_policy_lets_anybody_in_or_allows_a_whole_service() {
    assert_none(&infra::open_to_anybody(files()));
}

#[test]
fn terraform_never_holds_the_value_of_a_secret() {
    assert_none(&infra::secret_values(files()));
}

#[test]
fn every_function_is_deployed_and_is_a_state_or_the_callback() {
    let machine = machine::sample().unwrap();
    let called: BTreeSet<String> = machine.of_type("Task").filter_map(|(_, task)| machine.function(task)).collect();
    assert_none(&infra::functions(files(), &called));
}

#[test]
fn every_rule_has_a_file_a_name_and_an_id_of_its_own() {
    assert_none(&infra::rules(files()));
}

/// A walk that finds nothing would let every check above pass.
#[test]
fn the_checks_above_see_the_repository() {
    let seen: BTreeSet<&str> = files().iter().map(|file| file.path.as_str()).collect();
    for path in [
        "Cargo.toml",
        "cordon.toml",
        "crates/core/src/lib.rs",
        "infra/modules/cordon/permissions.tf",
        "tests/tidy/main.rs",
        machine::DEFINITION,
    ] {
        assert!(seen.contains(path), "{path} is not among the files that are checked");
    }
    assert!(!seen.iter().any(|path| path.contains("target/") || path.contains(".git/")), "build products are checked");
    assert!(members().contains_key("cordon-core") && members().contains_key("notify"), "{:?}", members().keys());
}
