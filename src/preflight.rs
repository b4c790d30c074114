//! Before a burst: what it asks for is set against what this machine has. What cannot work is refused,
//! with the arithmetic and what to do; what may not is said.

mod machine;
#[cfg(test)]
mod tests;

use std::net::UdpSocket;

use self::machine::Cpus;
pub use self::machine::Machine;
use crate::{
    descriptors,
    driver::{ConnectionSettings, Sharing},
    load::Profile,
    plain_words,
    scenario::{Bounds, Cost},
};

/// Memory of a chat in progress, in bytes; see docs/performance.md, rounded up.
const BYTES_A_CHAT: u64 = 8 * 1024;
/// Memory of a connection, likewise.
const BYTES_A_CONNECTION: u64 = 16 * 1024;
/// How long a port is not used again after its connection was closed: `TCP_TIMEWAIT_LEN` of Linux.
const SECONDS_IN_TIME_WAIT: f64 = 60.0;
/// CPU time that a request with its answer takes at the least, the kernel's work included; see
/// docs/performance.md, where no request was cheaper.
const LEAST_SECONDS_A_REQUEST: f64 = 15e-6;
/// What one takes usually, with an event or two in its wake.
const USUAL_SECONDS_A_REQUEST: f64 = 100e-6;

const MORE_PORTS: &str = "`sysctl net.ipv4.ip_local_port_range='1024 65535'` makes it 64512 each, and \
                          `connections: { from: [...] }` of the target takes more addresses";

/// What there is to say before a burst starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it cannot work, each with the arithmetic and a remedy.
    pub refusals: Vec<String>,
    /// What may go wrong, likewise.
    pub warnings: Vec<String>,
}

impl Machine {
    /// What a load asks of it. `capacity`: the most chats at once, where the load itself has no bound.
    pub fn examine(
        &self,
        cost: &Cost,
        connections: &ConnectionSettings,
        load: &Profile,
        capacity: Option<u64>,
    ) -> Findings {
        let mut findings = Findings::default();
        findings.warnings.extend(certain_failures(cost));
        examine_sources(connections, &mut findings);
        self.examine_view(&mut findings);
        let most = [load.peak_active(), capacity].into_iter().flatten().min();
        if let Some(chats) = most {
            self.examine_memory(chats, connections, &mut findings);
            self.examine_connections(chats, connections, &mut findings);
            self.examine_ports_in_time(chats, connections, load, &mut findings);
        }
        if let Some(rate) = load.peak_rate().filter(|_| load.is_open()) {
            self.examine_rate(rate.as_per_second(), cost.chat, &mut findings);
        }
        findings
    }

    /// Says what cannot be checked because `/proc` is hidden, as systemd's `ProcSubset=pid` does.
    fn examine_view(&self, findings: &mut Findings) {
        let hidden: Vec<_> = [
            (self.memory.is_none(), "available memory (/proc/meminfo)"),
            (self.open.is_none(), "open files (/proc/self/fd)"),
            (
                self.ports.is_none(),
                "local ports (/proc/sys/net/ipv4/ip_local_port_range)",
            ),
            (
                self.limits.is_none(),
                "limits of the control group (/proc/self/cgroup, /sys/fs/cgroup)",
            ),
        ]
        .into_iter()
        .filter_map(|(hidden, what)| hidden.then_some(what))
        .collect();
        if !hidden.is_empty() {
            findings.warnings.push(format!(
                "{} cannot be read, so whether the load fits this machine was not fully checked; make /proc \
                 and /sys/fs/cgroup visible to chatprobe (for systemd: ProcSubset=all)",
                hidden.join(", ")
            ));
        }
    }

    fn examine_memory(&self, chats: u64, wanted: &ConnectionSettings, findings: &mut Findings) {
        let Some(available) = self.memory_available() else {
            return;
        };
        let connections = most_connections(chats, wanted);
        // The product of two numbers of 64 bits fits into 128.
        let memory = u128::from(chats) * u128::from(BYTES_A_CHAT)
            + u128::from(connections) * u128::from(BYTES_A_CONNECTION);
        if memory > u128::from(available.bytes) {
            let (bound, remedy) = match available.limit {
                None => (String::new(), "give the machine more"),
                Some(limit) => (
                    format!(
                        " to the control group, of the {} MB of `{}`",
                        limit.bytes >> 20,
                        limit.file.display()
                    ),
                    "raise that limit (MemoryMax and MemoryHigh of systemd, the memory of the container)",
                ),
            };
            findings.refusals.push(format!(
                "{chats} chats at once take about {} MB of memory ({} KB each, and {} KB for each of up to {connections} \
                 connections), and {} MB are available{bound}: ask for fewer, or {remedy}",
                memory >> 20,
                BYTES_A_CHAT >> 10,
                BYTES_A_CONNECTION >> 10,
                available.bytes >> 20
            ));
        }
    }

    /// Customers with a connection each need them all. Of those who share, only a slow target keeps
    /// so many busy.
    fn examine_connections(
        &self,
        chats: u64,
        wanted: &ConnectionSettings,
        findings: &mut Findings,
    ) {
        let connections = most_connections(chats, wanted);
        let (who, found) = match wanted.sharing {
            Sharing::PerCustomer => (
                format!("{chats} chats have a connection each"),
                &mut findings.refusals,
            ),
            Sharing::Shared { .. } => {
                let who = format!(
                    "if the target answers slowly, {chats} chats need up to {connections} connections"
                );
                (who, &mut findings.warnings)
            }
        };
        let free = self.outbound_left();
        if connections > free {
            let all = connections.saturating_add(self.outbound);
            found.push(format!(
                "{who}: {connections} connections, and {free} more to targets may be opened, because of {} files some are \
                 kept for events, the web and the program itself; `ulimit -n {}` (or LimitNOFILE, or ulimits of the \
                 container) allows them",
                self.files,
                descriptors::limit_for_outbound(all)
            ));
        }
        let ports = self.ports_of(wanted);
        if connections > ports {
            found.push(format!(
                "{who}: {ports} are possible, one from each local port of each address; {MORE_PORTS}"
            ));
        }
    }

    /// A customer with a connection of its own closes it, so its port rests for a minute.
    fn examine_ports_in_time(
        &self,
        chats: u64,
        wanted: &ConnectionSettings,
        load: &Profile,
        findings: &mut Findings,
    ) {
        let rate = load.peak_rate().filter(|_| load.is_open());
        let (Sharing::PerCustomer, Some(rate)) = (wanted.sharing, rate) else {
            return;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is finite and not negative; too much of one is very much"
        )]
        let resting = (rate.as_per_second() * SECONDS_IN_TIME_WAIT) as u64;
        let all = load.chats().unwrap_or(u64::MAX);
        let needed = chats.saturating_add(resting).min(all);
        let ports = self.ports_of(wanted);
        if needed > ports && chats <= ports {
            findings.warnings.push(format!(
                "up to {chats} chats with a connection each, and the ports of those that ended in the last minute, \
                 need {needed} ports, and there are {ports}: unless the target closes first, connections will fail; \
                 {MORE_PORTS}"
            ));
        }
    }

    fn ports_of(&self, wanted: &ConnectionSettings) -> u64 {
        let sources = u64::try_from(wanted.from.len()).map_or(1, |count| count.max(1));
        let ports = self.ports.unwrap_or(u64::MAX);
        ports.saturating_mul(sources)
    }

    /// Of requests whose number is not known before, the fewest have to be possible, and the most that there
    /// can be have to be usual.
    fn examine_rate(&self, rate: f64, requests: Bounds, findings: &mut Findings) {
        let Cpus { count: cpus, bound } = self.cpus_available();
        #[expect(
            clippy::cast_precision_loss,
            reason = "CPUs are told with one digit behind the point"
        )]
        let taken = |requests: u64, seconds: f64| rate * requests as f64 * seconds;
        let least = taken(requests.least, LEAST_SECONDS_A_REQUEST);
        let usual = taken(
            requests.most.unwrap_or(requests.least),
            USUAL_SECONDS_A_REQUEST,
        );
        if least > cpus {
            findings.refusals.push(format!(
                "{rate} starts a second with {} each take {least:.1} CPUs at the least \
                 ({} µs a request), and there are {cpus}{bound}: ask for a lower rate, or spread the load over machines",
                requests.of("request"),
                LEAST_SECONDS_A_REQUEST * 1e6
            ));
        } else if usual > cpus {
            findings.warnings.push(format!(
                "{rate} starts a second with {} each usually take {usual:.1} CPUs \
                 ({} µs a request), and there are {cpus}{bound}: starts may be late, and the verdict `invalid`",
                requests.of("request"),
                USUAL_SECONDS_A_REQUEST * 1e6
            ));
        }
    }
}

/// What the inputs make fail, whatever the target does.
pub fn certain_failures(cost: &Cost) -> impl Iterator<Item = String> {
    cost.errors
        .iter()
        .map(|error| format!("with these inputs every chat that comes to {error} fails there"))
}

/// Connections to one server that chats have at the most.
fn most_connections(chats: u64, wanted: &ConnectionSettings) -> u64 {
    match wanted.sharing {
        Sharing::PerCustomer => chats,
        Sharing::Shared { most, .. } => chats.min(u64::try_from(most.get()).unwrap_or(u64::MAX)),
    }
}

/// Connections cannot leave from an address that is another machine's.
fn examine_sources(connections: &ConnectionSettings, findings: &mut Findings) {
    for source in &connections.from {
        if let Err(error) = UdpSocket::bind((*source, 0)) {
            findings.refusals.push(format!(
                "connections cannot leave from `{source}`: {}; `ip address` lists the addresses of this machine",
                plain_words::of_system(&error)
            ));
        }
    }
}
