use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    scenario::{Input, InputKind, Item, Parameter, Scenario},
    target::Target,
    web::App,
};

/// What a customer does.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScenarioView {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Its parameters.
    pub inputs: Vec<InputView>,
    /// Its steps in the order written; pauses are none.
    pub steps: Vec<StepView>,
}

/// A parameter of a scenario.
#[derive(Debug, Serialize, ToSchema)]
pub struct InputView {
    /// Its name.
    pub name: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub kind: InputKind,
    /// What it is unless somebody says otherwise; null: somebody has to.
    pub default: Option<serde_json::Value>,
    /// For people.
    pub description: Option<String>,
}

/// A step of a scenario.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub part: StepPart,
    /// What it does, by the key that says so in the scenario, such as `http` or `wait_for`.
    #[schema(value_type = String)]
    pub action: &'static str,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepPart {
    /// Once per run, before the first chat.
    Setup,
    /// Once per chat.
    Steps,
    /// Once per chat that began, however it ended.
    Always,
    /// Once per run, after the last chat.
    Teardown,
}

/// A chat system under watch.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetView {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// The names of its variables.
    pub variables: Vec<String>,
    /// The names of its secrets; their values are not shown to anybody.
    pub secrets: Vec<String>,
}

impl From<&Scenario> for ScenarioView {
    fn from(scenario: &Scenario) -> Self {
        let parts: [(StepPart, &[Item]); 4] = [
            (StepPart::Setup, &scenario.setup),
            (StepPart::Steps, &scenario.steps),
            (StepPart::Always, &scenario.always),
            (StepPart::Teardown, &scenario.teardown),
        ];
        let mut steps = Vec::new();
        for (part, items) in parts {
            for item in items {
                item.each_step(&mut |step| {
                    steps.push(StepView {
                        name: step.name.to_string(),
                        part,
                        action: step.action.key(),
                    });
                });
            }
        }
        Self {
            name: scenario.name.to_string(),
            description: scenario.description.clone(),
            inputs: scenario.inputs.iter().map(InputView::from).collect(),
            steps,
        }
    }
}

impl From<&Input> for InputView {
    fn from(input: &Input) -> Self {
        let default = input.default.as_ref();
        Self {
            name: input.name.clone(),
            kind: input.kind,
            // Text, a number or a boolean, which JSON has all of.
            default: default.map(Parameter::to_json),
            description: input.description.clone(),
        }
    }
}

impl From<&Target> for TargetView {
    fn from(target: &Target) -> Self {
        Self {
            name: target.name.to_string(),
            url: target.url.clone(),
            variables: target.variable_names().map(str::to_owned).collect(),
            secrets: target.secret_names().map(str::to_owned).collect(),
        }
    }
}

/// The scenarios in the configuration.
#[utoipa::path(
    get,
    path = "/api/v1/scenarios",
    operation_id = "list_scenarios",
    tag = "configuration",
    responses((status = 200, description = "All of them", body = Vec<ScenarioView>)),
)]
pub(in crate::web) async fn scenarios(State(app): State<Arc<App>>) -> Json<Vec<ScenarioView>> {
    let plan = app.web.scheduler.plan();
    let scenarios = plan.catalogue.scenarios.values();
    Json(
        scenarios
            .map(|scenario| ScenarioView::from(&**scenario))
            .collect(),
    )
}

/// The targets in the configuration, without the values of their variables and secrets.
#[utoipa::path(
    get,
    path = "/api/v1/targets",
    operation_id = "list_targets",
    tag = "configuration",
    responses((status = 200, description = "All of them", body = Vec<TargetView>)),
)]
pub(in crate::web) async fn targets(State(app): State<Arc<App>>) -> Json<Vec<TargetView>> {
    let plan = app.web.scheduler.plan();
    let targets = plan.catalogue.targets.values();
    Json(targets.map(|target| TargetView::from(&**target)).collect())
}
