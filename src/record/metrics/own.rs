use std::time::{Duration, SystemTime};

use prometheus::{Counter, Gauge, Histogram, IntCounter};

use super::{
    MetricsError,
    boundaries::LATENESS_SECONDS,
    family::{Family, Maker},
    seconds_since_epoch,
};
use crate::{
    event::{Denial, Mode},
    record::Resources,
    vitals::Beat,
};

/// The commit that was built; `ci/image` sets it. Not asked of git here, or every commit would compile anew.
pub(super) const REVISION: &str = match option_env!("CHATPROBE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// What chatprobe says about itself.
pub(super) struct Own {
    start_lateness: ByMode,
    send_lateness: ByMode,
    scheduler_lag: Histogram,
    thread_lag: Histogram,
    cpu_wait: Gauge,
    runnable_threads: Gauge,
    listen_overflows: Counter,
    listen_drops: Counter,
    reload_successful: Gauge,
    reload_success_at: Gauge,
    /// In the order of [`Denial::ALL`].
    denied: [IntCounter; Denial::ALL.len()],
}

/// The probes' and the bursts'.
type ByMode = [Histogram; 2];

impl Own {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        let start_lateness = make.histograms(
            "chatprobe_start_lateness_seconds",
            "How long after its intended start a chat began: the generator's own lateness, not the target's.",
            &["mode"],
            LATENESS_SECONDS,
        )?;
        let send_lateness = make.histograms(
            "chatprobe_send_lateness_seconds",
            "How long after the pause, answer or event before it a request was sent: the generator's own lateness, not the target's.",
            &["mode"],
            LATENESS_SECONDS,
        )?;
        let by_mode = |family: &Family<Histogram>| {
            [Mode::Probe, Mode::Burst].map(|mode| family.child(&[mode.as_str()]))
        };
        let lag: Family<Histogram> = make.histograms(
            "chatprobe_scheduler_lag_seconds",
            "How much late the heartbeat of the runtime came: how long anything else had to wait for its turn.",
            &[],
            LATENESS_SECONDS,
        )?;
        let thread_lag: Family<Histogram> = make.histograms(
            "chatprobe_generator_thread_lag_seconds",
            "How much late a thread woke that does nothing but sleep: how long the whole process stood still.",
            &[],
            LATENESS_SECONDS,
        )?;
        let build = make.gauges(
            "chatprobe_build_info",
            "1; version and revision of the source that run are in the labels.",
            &["version", "revision"],
        )?;
        build.child(&[env!("CARGO_PKG_VERSION"), REVISION]).set(1.0);
        let denied = make.counters(
            "chatprobe_web_requests_denied_total",
            "Requests to the web listener that were refused before anything was done, by reason.",
            &["reason"],
        )?;
        Ok(Self {
            start_lateness: by_mode(&start_lateness),
            send_lateness: by_mode(&send_lateness),
            scheduler_lag: lag.child(&[]),
            thread_lag: thread_lag.child(&[]),
            cpu_wait: make.gauge(
                "chatprobe_generator_cpu_wait",
                "CPU wait: for how many CPUs the threads of the process waited over the last second or so.",
            )?,
            runnable_threads: make.gauge(
                "chatprobe_host_runnable_threads",
                "Threads of the host that ran or waited for a CPU when it was last looked at, about once a second.",
            )?,
            listen_overflows: make.fraction_counter(
                "chatprobe_host_listen_overflows_total",
                "Connections that found an accept queue of the network namespace full since the process began, of any process.",
            )?,
            listen_drops: make.fraction_counter(
                "chatprobe_host_listen_drops_total",
                "Connections that listeners of the network namespace dropped since the process began, for any reason.",
            )?,
            reload_successful: make.gauge(
                "chatprobe_config_last_reload_successful",
                "1 if the configuration that was asked for last is in force, 0 if it was refused.",
            )?,
            reload_success_at: make.gauge(
                "chatprobe_config_last_reload_success_timestamp_seconds",
                "Unix time at which a configuration last came into force.",
            )?,
            denied: Denial::ALL.map(|denial| denied.child(&[denial.as_str()])),
        })
    }

    /// How late chats of probes or bursts start and their requests are sent.
    pub(super) fn lateness(&self, mode: Mode) -> LatenessSeries {
        LatenessSeries {
            start: of_mode(&self.start_lateness, mode).clone(),
            send: of_mode(&self.send_lateness, mode).clone(),
        }
    }

    pub(super) fn lagged(&self, lag: Duration) {
        self.scheduler_lag.observe(lag.as_secs_f64());
    }

    pub(super) fn beaten(&self, beat: &Beat) {
        self.thread_lag.observe(beat.late.as_secs_f64());
        if let Some(load) = beat.load {
            if let Some(cpu_wait) = load.cpu_wait {
                self.cpu_wait.set(cpu_wait);
            }
            if let Some(threads) = load.run_queue {
                self.runnable_threads.set(float(threads));
            }
            self.listen_overflows.inc_by(float(load.listen_overflows));
            self.listen_drops.inc_by(float(load.listen_drops));
        }
    }

    pub(super) fn request_denied(&self, denial: Denial) {
        self.denied[denial as usize].inc();
    }

    pub(super) fn configuration_loaded(&self, accepted: bool, now: SystemTime) {
        self.reload_successful.set(f64::from(u8::from(accepted)));
        if accepted {
            self.reload_success_at.set(seconds_since_epoch(now));
        }
    }
}

/// How late the chats of one run start and their requests are sent.
pub(super) struct LatenessSeries {
    start: Histogram,
    send: Histogram,
}

impl LatenessSeries {
    pub(super) fn chat_started(&self, late: Duration) {
        self.start.observe(late.as_secs_f64());
    }

    pub(super) fn request_sent(&self, late: Duration) {
        self.send.observe(late.as_secs_f64());
    }
}

fn of_mode([probes, bursts]: &ByMode, mode: Mode) -> &Histogram {
    match mode {
        Mode::Probe => probes,
        Mode::Burst => bursts,
    }
}

/// The resources of the process and its host, under the names that dashboards know.
pub(super) struct ProcessSeries {
    resident_memory: Gauge,
    resident_memory_peak: Gauge,
    cpu: Counter,
    cpu_user: Counter,
    cpu_system: Counter,
    cpu_usage: Gauge,
    cpu_usage_peak: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    threads: Gauge,
    start_time: Gauge,
    memory_limit: Gauge,
    host_cpus: Gauge,
    host_cpu_usage: Gauge,
    host_memory_total: Gauge,
    host_memory_available: Gauge,
}

impl ProcessSeries {
    #[rustfmt::skip]
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            resident_memory: make.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.")?,
            resident_memory_peak: make.gauge("process_resident_memory_peak_bytes", "The most memory that the process had in RAM within the last minute or two.")?,
            cpu: make.fraction_counter("process_cpu_seconds_total", "CPU time of the process, its own code and the kernel's work for it.")?,
            cpu_user: make.fraction_counter("process_cpu_user_seconds_total", "CPU time of the process in its own code.")?,
            cpu_system: make.fraction_counter("process_cpu_system_seconds_total", "CPU time of the process in the kernel.")?,
            cpu_usage: make.gauge("process_cpu_usage_cores", "Cores that the process kept busy over the last second or so.")?,
            cpu_usage_peak: make.gauge("process_cpu_usage_peak_cores", "The most cores that the process kept busy over a second within the last minute or two.")?,
            open_fds: make.gauge("process_open_fds", "File descriptors that are open.")?,
            max_fds: make.gauge("process_max_fds", "File descriptors that may be open at most.")?,
            threads: make.gauge("process_threads", "Threads of the process.")?,
            start_time: make.gauge("process_start_time_seconds", "Unix time at which the process began.")?,
            memory_limit: make.gauge("process_memory_limit_bytes", "What the process may have: the limit of its control group, else the memory of the host.")?,
            host_cpus: make.gauge("chatprobe_host_cpus", "Logical CPUs of the host.")?,
            host_cpu_usage: make.gauge("chatprobe_host_cpu_usage_ratio", "Share of all CPUs of the host that was busy over the last second or so, 0 to 1.")?,
            host_memory_total: make.gauge("chatprobe_host_memory_total_bytes", "Memory of the host.")?,
            host_memory_available: make.gauge("chatprobe_host_memory_available_bytes", "Memory of the host that could be had without swapping.")?,
        })
    }

    pub(super) fn set(&self, now: &Resources) {
        self.resident_memory.set(float(now.resident_memory_bytes));
        self.resident_memory_peak
            .set(float(now.resident_memory_peak_bytes));
        advance(&self.cpu, now.cpu_user + now.cpu_system);
        advance(&self.cpu_user, now.cpu_user);
        advance(&self.cpu_system, now.cpu_system);
        self.cpu_usage.set(now.cpu_usage);
        self.cpu_usage_peak.set(now.cpu_usage_peak);
        self.open_fds.set(float(now.open_fds));
        self.max_fds.set(float(now.max_fds));
        self.threads.set(float(now.threads));
        self.start_time.set(float(now.start_time_seconds));
        self.memory_limit.set(float(now.memory_limit_bytes));
        self.host_cpus.set(float(now.host_cpus));
        self.host_cpu_usage.set(now.host_cpu_usage);
        self.host_memory_total
            .set(float(now.host_memory_total_bytes));
        self.host_memory_available
            .set(float(now.host_memory_available_bytes));
    }
}

/// Brings a counter to a reading; one that an earlier scrape overtook adds nothing.
fn advance(counter: &Counter, reading: Duration) {
    counter.inc_by((reading.as_secs_f64() - counter.get()).max(0.0));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53, which is 9 PB"
)]
pub(super) fn float(value: u64) -> f64 {
    value as f64
}
