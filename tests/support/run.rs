//! `chatprobe run`, from its command line to its report.

use std::path::Path;

use serde_json::Value;

use super::{ANY_HEALTH, Folder, Process, QUICK, SCENARIO, shipped};

/// A command line that is being put together.
pub struct Run {
    pub folder: Folder,
    arguments: Vec<String>,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub output: String,
    pub log: String,
    /// `null` if there is none.
    pub report: Value,
}

impl Run {
    /// The shipped scenario without its pauses.
    pub fn of_shipped(target: &str) -> Self {
        let folder = Folder::new();
        let mut run = Self::new(folder, SCENARIO, target);
        let inputs: serde_yaml::Value = serde_yaml::from_str(QUICK).unwrap();
        for (name, value) in inputs.as_mapping().unwrap() {
            let (name, value) = (name.as_str().unwrap(), value.as_str().unwrap());
            run = run.with(&["--input", &format!("{name}={value}")]);
        }
        run
    }

    /// A scenario by its file or shipped name, against an address.
    pub fn new(folder: Folder, scenario: &str, target: &str) -> Self {
        let configuration = format!(
            "targets: {{ centre: {{ url: '{target}', variables: {{ tenant_id: t, channel_provider_id: p }} }} }}\n\
             scenarios: ['{}']\n\
             {ANY_HEALTH}\n",
            shipped("scenarios").display()
        );
        let file = folder.write("chatprobe.yaml", &configuration);
        let report = folder.argument("report.json");
        let arguments = ["run", scenario, "--config", &file, "--json", &report];
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
            folder,
        }
    }

    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&text| text.to_owned()));
        self
    }

    pub fn load(self, load: &str) -> Self {
        self.with(&["--load", load])
    }

    /// Starts it; see [`Self::finish`].
    pub fn start(&self) -> Process {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        Process::start(&arguments)
    }

    /// The same under what `ulimit` takes.
    pub fn start_limited(&self, limits: &str) -> Process {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        Process::start_limited(limits, &arguments)
    }

    /// The same where `/proc` shows nothing; `None` if the system lets nobody hide it.
    pub fn start_without_proc(&self) -> Option<Process> {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        Process::start_without_proc(&arguments)
    }

    /// The same in a control group, with the file that has its processes.
    pub fn start_in_group(&self, processes: &Path) -> Process {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        Process::start_in_group(processes, &arguments)
    }

    /// The same on these CPUs only, as `taskset -c` takes them.
    pub fn start_pinned(&self, cpus: &str) -> Process {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        Process::start_pinned(cpus, &arguments)
    }

    /// Waits for its end.
    pub async fn finish(&self, mut process: Process) -> Finished {
        let code = process.ended().await;
        let report = std::fs::read_to_string(self.folder.path("report.json"));
        Finished {
            code,
            output: process.output(),
            log: process.log(),
            report: report.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()),
        }
    }

    pub async fn done(&self) -> Finished {
        self.finish(self.start()).await
    }
}

impl Finished {
    /// Expects an exit code and counts that agree.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert_eq!(self.report["events"]["differences"], serde_json::json!([]));
        assert_eq!(self.report["events"]["waiting"], 0);
        self
    }

    /// A count of chats.
    pub fn chats(&self, count: &str) -> u64 {
        self.report["chats"][count].as_u64().unwrap()
    }

    /// How often a step passed.
    pub fn passed(&self, step: &str) -> u64 {
        self.step(step)["passed"].as_u64().unwrap()
    }

    /// How often a step failed for a reason.
    pub fn failed(&self, step: &str, reason: &str) -> u64 {
        self.step(step)["failed_by_reason"][reason]
            .as_u64()
            .unwrap_or_default()
    }

    pub fn step(&self, name: &str) -> &Value {
        let steps = self.report["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["step"] == name);
        step.unwrap_or_else(|| panic!("no step {name} in {:#}", self.report))
    }

    /// How many events ended so.
    pub fn fate(&self, fate: &str) -> u64 {
        self.report["events"]["by_fate"][fate]
            .as_u64()
            .unwrap_or_default()
    }

    pub fn received(&self) -> u64 {
        self.report["events"]["received"].as_u64().unwrap()
    }
}
