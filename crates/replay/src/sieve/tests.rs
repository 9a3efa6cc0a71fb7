use super::*;

#[test]
fn dump() {
    let mut sources = Vec::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    for folder in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            sources.push(cordon_detect::RuleSource::new(path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    let book = RuleBook::load(sources).unwrap();
    let needs: Vec<Need> = book.rules().iter().map(Rule::need).collect();
    let mut by: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    for (rule, need) in book.rules().iter().zip(&needs) {
        for choice in cover(need).unwrap() {
            by.entry(choice.path.to_owned()).or_default().push(format!("{:?} {}", choice.test, rule.id));
        }
    }
    for (path, tests) in by { println!("{path}: {} {:?}", tests.len(), tests.iter().filter(|t| !t.starts_with("Equals") || path != "eventName").collect::<Vec<_>>()); }
}
