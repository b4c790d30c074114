//! Runs, as events name them.

use std::{sync::Arc, time::SystemTime};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::run_id::{RunIds, is_id};

/// The ids of all runs of the process.
static IDS: RunIds = RunIds::new();

/// What starts the chats of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One chat at a time, every interval.
    Probe,
    /// Many chats, under a load profile.
    Burst,
}

impl Mode {
    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Burst => "burst",
        }
    }
}

/// What a measurement is about: the labels that almost every series has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// The scenario's name.
    pub scenario: Arc<str>,
    /// The target's name.
    pub target: Arc<str>,
    /// Probe or burst.
    pub mode: Mode,
}

/// Who or what started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The interval of a probe.
    Interval,
    /// A cron schedule.
    Schedule,
    /// The admin API.
    Api,
    /// The command line.
    CommandLine,
}

/// One execution of a probe or a burst, as events name it.
#[derive(Debug)]
pub struct RunIdentity {
    /// A version 7 UUID: unique, and larger than those of all runs that began before in this process.
    pub id: String,
    /// The name of the probe or burst; a label, so bursts without a name share one.
    pub name: Arc<str>,
    /// What it measures.
    pub subject: Subject,
    /// What started it.
    pub trigger: Trigger,
    /// It is the part of a mixed run that has one scenario: it has the id of the run, and chats and steps, and no end.
    pub is_member: bool,
}

impl RunIdentity {
    /// The name of runs of bursts that are started by hand and are not in the configuration.
    pub const AD_HOC: &str = "ad-hoc";

    /// The scenario of runs with chats of several, and their target if they have several of those.
    pub const MIXED: &str = "mixed";

    /// A new run with an id of its own.
    pub fn new(name: Arc<str>, subject: Subject, trigger: Trigger) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            id: IDS.next(since_epoch.unwrap_or_default()),
            name,
            subject,
            trigger,
            is_member: false,
        }
    }

    /// The part of the run that measures this.
    #[must_use]
    pub fn member(&self, subject: Subject) -> Self {
        Self {
            id: self.id.clone(),
            name: self.name.clone(),
            subject,
            trigger: self.trigger,
            is_member: true,
        }
    }

    /// Whether a text reads like the id of a run.
    pub fn is_id(text: &str) -> bool {
        is_id(text)
    }

    /// The id of one of its chats, and of its failure if it fails.
    pub fn chat_id(&self, chat: u64) -> String {
        format!("{}-{chat}", self.id)
    }
}

/// What ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Its load was through.
    Load,
    /// Its setup failed.
    Setup,
    /// A threshold with `abort` was broken.
    Threshold,
    /// An operator stopped it over the admin API or the console.
    Operator,
    /// The service was shut down.
    Shutdown,
    /// SIGTERM to `chatprobe run`.
    Sigterm,
    /// SIGINT to `chatprobe run`, such as by Ctrl-C.
    Sigint,
    /// SIGHUP to `chatprobe run`, such as by the end of its terminal.
    Sighup,
    /// The process, or the task of the run, ended under it.
    Crash,
}

impl EndedBy {
    /// The words for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Load => "its load was through",
            Self::Setup => "the setup failed",
            Self::Threshold => "ended early: a threshold with `abort` was broken",
            Self::Operator => "stopped by an operator over the admin API or the console",
            Self::Shutdown => "stopped because the service was shut down",
            Self::Sigterm => "stopped by SIGTERM",
            Self::Sigint => "stopped by SIGINT (Ctrl-C)",
            Self::Sighup => "stopped by SIGHUP (the terminal was closed)",
            Self::Crash => "the process ended under it",
        }
    }

    /// Whether a signal to `chatprobe run` ended it.
    pub const fn is_signal(self) -> bool {
        matches!(self, Self::Sigterm | Self::Sigint | Self::Sighup)
    }
}

/// The verdict on a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every threshold held.
    Passed,
    /// A threshold was broken, or the run could not begin.
    Failed,
    /// The generator could not do what the profile asked, or its counts do not agree: the
    /// figures say nothing about the target.
    Invalid,
    /// It was stopped before its load was through, or a chat of it was cut short; [`EndedBy`] says by whom.
    Stopped,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::Invalid, Self::Stopped];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::Stopped => "stopped",
        }
    }
}
