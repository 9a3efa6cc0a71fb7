//! The module `infra/guardrails` as Terraform evaluates it: its variables, its locals and its policies.
//!
//! It knows the functions that the module uses and no others, so that a new one is noticed rather than taken for granted.

use cordon_tests::repository;
use hcl::eval::{Context, Evaluate as _, FuncArgs, FuncDef, ParamType};
use hcl::{Body, Map, Template, Value};

const FOLDER: &str = "infra/guardrails";

/// The variables of the module, by name.
pub type Variables = Map<String, Value>;

/// The variables of the example, over the defaults of their declarations.
pub fn variables() -> Variables {
    let mut variables = Variables::new();
    for block in body("variables.tf").blocks().filter(|block| block.identifier() == "variable") {
        if let Some(default) = block.body().attributes().find(|attribute| attribute.key() == "default") {
            let name = block.labels()[0].as_str().to_owned();
            variables.insert(name, default.expr().evaluate(&Context::new()).unwrap());
        }
    }
    let example: Variables = hcl::from_str(&text("terraform.tfvars.example")).unwrap();
    variables.extend(example);
    variables
}

/// The module with its variables given.
pub struct Module {
    /// The values that its templates are filled in with.
    values: Map<String, Value>,
}

impl Module {
    /// Evaluates the locals that the templates get.
    pub fn new(variables: &Variables) -> Self {
        let body = body("main.tf");
        let locals = body.blocks().find(|block| block.identifier() == "locals").unwrap();
        let expression = |name: &str| {
            let local = locals.body().attributes().find(|attribute| attribute.key() == name);
            local.unwrap_or_else(|| panic!("there is no `local.{name}` any more")).expr()
        };
        let mut context = functions();
        context.declare_var("var", Value::Object(variables.clone()));
        // `local.values` names these two.
        let earlier = ["own_quarantine_policies", "own_roles"];
        let known: Map<String, Value> =
            earlier.into_iter().map(|name| (name.to_owned(), expression(name).evaluate(&context).unwrap())).collect();
        context.declare_var("local", Value::Object(known));
        let values = expression("values").evaluate(&context).unwrap();
        Self { values: values.as_object().unwrap().clone() }
    }

    /// A policy, filled in.
    pub fn policy(&self, name: &str) -> serde_json::Value {
        let template: Template = text(&format!("policies/{name}.json.tftpl")).parse().unwrap();
        let mut context = functions();
        for (name, value) in &self.values {
            context.declare_var(name.as_str(), value.clone());
        }
        let text = template.evaluate(&context).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
    }
}

fn text(file: &str) -> String {
    repository::read(&format!("{FOLDER}/{file}")).unwrap()
}

fn body(file: &str) -> Body {
    hcl::parse(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn functions() -> Context<'static> {
    let mut context = Context::new();
    let any = |function: hcl::eval::Func| FuncDef::builder().variadic_param(ParamType::Any).build(function);
    context.declare_func("concat", any(|args| Ok(items(args).into_iter().flat_map(list).collect::<Vec<_>>().into())));
    context.declare_func("flatten", any(|args| Ok(items(args).into_iter().flat_map(flat).collect::<Vec<_>>().into())));
    context.declare_func("distinct", any(|args| Ok(distinct(items(args).into_iter().flat_map(list)).into())));
    context.declare_func("lower", any(|args| Ok(args[0].as_str().ok_or("lower takes a text")?.to_lowercase().into())));
    context
        .declare_func("jsonencode", any(|args| Ok(serde_json::to_string(&args[0]).map_err(|error| error.to_string())?.into())));
    context
}

fn items(args: FuncArgs) -> Vec<Value> {
    args.into_values()
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("{other} is no list"),
    }
}

fn flat(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.into_iter().flat_map(flat).collect(),
        other => vec![other],
    }
}

fn distinct(values: impl Iterator<Item = Value>) -> Vec<Value> {
    values.fold(Vec::new(), |mut seen, value| {
        if !seen.contains(&value) {
            seen.push(value);
        }
        seen
    })
}
