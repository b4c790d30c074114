//! Before a burst: what it asks for is set against what this machine has. What cannot work is refused,
//! with the arithmetic and what to do; what may not is said.

mod machine;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::UdpSocket;

use self::machine::Cpus;
pub use self::machine::Machine;
use crate::{
    descriptors,
    driver::{ConnectionSettings, Sharing},
    load::Profile,
    plain_words,
    scenario::{Bounds, Cost},
    units::counted,
};

/// Memory of a chat in progress, in bytes; see docs/performance.md, rounded up.
const BYTES_A_CHAT: u64 = 8 * 1024;
/// Memory of a connection, likewise.
const BYTES_A_CONNECTION: u64 = 16 * 1024;
/// Memory of a socket without TLS, likewise, besides that of its chat.
const BYTES_A_SOCKET: u64 = 4 * 1024;
/// What one takes more with TLS, likewise: about 8 KiB with one short certificate, and the chain of a public server, which
/// is kept, adds up to 4 KiB.
const BYTES_OF_TLS: u64 = 12 * 1024;
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
    /// What a load asks of it. `targets`: to each of them all of its chats might go.
    /// `capacity`: the most chats at once, where the load itself has no bound.
    pub fn examine(
        &self,
        cost: &Cost,
        connections: &[&ConnectionSettings],
        load: &Profile,
        capacity: Option<u64>,
    ) -> Findings {
        let mut findings = Findings::default();
        findings.warnings.extend(certain_failures(cost));
        findings.warnings.extend(missing_rows(cost, load));
        self.examine_view(&mut findings);
        let most = [load.peak_active(), capacity].into_iter().flatten().min();
        for connections in connections {
            examine_sources(connections, &mut findings);
            if let Some(chats) = most {
                let held = Held::of(chats, cost, connections);
                self.examine_memory(&held, &mut findings);
                self.examine_connections(&held, connections, &mut findings);
                self.examine_ports_in_time(chats, connections, load, &mut findings);
            }
        }
        findings.forget_repeated();
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

    fn examine_memory(&self, held: &Held, findings: &mut Findings) {
        let Some(available) = self.memory_available() else {
            return;
        };
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
        let chats = held.chats;
        let least = held.memory(held.sockets.least, BYTES_A_SOCKET);
        let most = held.memory(held.most_sockets(), BYTES_A_SOCKET + BYTES_OF_TLS);
        if least > u128::from(available.bytes) {
            findings.refusals.push(format!(
                "{chats} chats at once take about {} MB of memory ({}), and {} MB are available{bound}: ask for fewer, or \
                 {remedy}",
                least >> 20,
                held.parts(held.sockets.least, BYTES_A_SOCKET),
                available.bytes >> 20
            ));
        } else if held.most_sockets() > 0 && most > u128::from(available.bytes) {
            findings.warnings.push(format!(
                "if their sockets use TLS, {chats} chats at once take up to {} MB of memory ({}), and {} MB are \
                 available{bound}: ask for fewer, or {remedy}",
                most >> 20,
                held.parts(held.most_sockets(), BYTES_A_SOCKET + BYTES_OF_TLS),
                available.bytes >> 20
            ));
        }
    }

    /// What chats hold for certain has to be possible. Of connections that they share, only a slow target keeps
    /// so many busy, and sockets that depend on a condition may not be opened.
    fn examine_connections(
        &self,
        held: &Held,
        wanted: &ConnectionSettings,
        findings: &mut Findings,
    ) {
        let (certain, possible) = (held.certain(), held.possible());
        let (free, ports) = (self.outbound_left(), self.ports_of(wanted));
        if possible > free {
            let (count, found) = findings.about(certain, possible, free);
            let all = count.saturating_add(self.outbound);
            found.push(format!(
                "{}: {}, and {free} more to targets may be opened, because of {} files some are kept for events, the web \
                 and the program itself; `ulimit -n {}` (or LimitNOFILE, or ulimits of the container) allows them",
                held.who(count),
                counted(count, "connection"),
                self.files,
                descriptors::limit_for_outbound(all)
            ));
        }
        if possible > ports {
            let (count, found) = findings.about(certain, possible, ports);
            found.push(format!(
                "{}: {ports} are possible, one from each local port of each address; {MORE_PORTS}",
                held.who(count)
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

/// What is missing where a load has more chats than there are rows for them.
pub fn missing_rows(cost: &Cost, load: &Profile) -> Option<String> {
    let (name, rows) = cost.rows.as_ref()?;
    let chats = load.chats().filter(|chats| chats > rows)?;
    let about = if load.is_drawn() { "about " } else { "" };
    Some(format!(
        "the rows of `{name}` run out: {about}{} of this load take one each, once, and there are {rows}; then the run ends as \
         `invalid`. Add rows, or say `take: cycle`",
        counted(chats, "chat")
    ))
}

impl Findings {
    /// Connections to several targets may lack the same.
    fn forget_repeated(&mut self) {
        for found in [&mut self.refusals, &mut self.warnings] {
            let mut known = BTreeSet::new();
            found.retain(|text| known.insert(text.clone()));
        }
    }

    /// How many there are to talk of, and whether they are refused: those that are certain do not fit, or only all that
    /// are possible.
    fn about(&mut self, certain: u64, possible: u64, allowed: u64) -> (u64, &mut Vec<String>) {
        if certain > allowed {
            (certain, &mut self.refusals)
        } else {
            (possible, &mut self.warnings)
        }
    }
}

/// What chats hold at the same time.
struct Held {
    chats: u64,
    sharing: Sharing,
    /// Connections that requests go over, at most.
    connections: u64,
    /// Connections over which messages come at any time, of all chats.
    sockets: Bounds,
    sockets_a_chat: Bounds,
}

impl Held {
    fn of(chats: u64, cost: &Cost, wanted: &ConnectionSettings) -> Self {
        // A socket is opened by one request over a connection that becomes its own.
        let opening = cost.sockets.most.unwrap_or(u64::MAX);
        let sends_others = cost.chat.most.is_none_or(|most| most > opening);
        let connections = match wanted.sharing {
            Sharing::PerCustomer => chats,
            Sharing::Shared { most, .. } => {
                chats.min(u64::try_from(most.get()).unwrap_or(u64::MAX))
            }
        };
        Self {
            chats,
            sharing: wanted.sharing,
            connections: if sends_others { connections } else { 0 },
            sockets: cost.sockets.times(Bounds::exactly(chats)),
            sockets_a_chat: cost.sockets,
        }
    }

    fn most_sockets(&self) -> u64 {
        self.sockets.most.unwrap_or(u64::MAX)
    }

    /// Connections and sockets that they have whatever the target does.
    fn certain(&self) -> u64 {
        match self.sharing {
            Sharing::PerCustomer => self.connections.saturating_add(self.sockets.least),
            Sharing::Shared { .. } => self.sockets.least,
        }
    }

    /// Those that they may have.
    fn possible(&self) -> u64 {
        self.connections.saturating_add(self.most_sockets())
    }

    /// About what it takes in memory, with so many sockets of this size, in bytes.
    fn memory(&self, sockets: u64, bytes_a_socket: u64) -> u128 {
        [
            (self.chats, BYTES_A_CHAT),
            (self.connections, BYTES_A_CONNECTION),
            (sockets, bytes_a_socket),
        ]
        .into_iter()
        // The product of two numbers of 64 bits fits into 128, and so does the sum of three that are not all the largest.
        .map(|(count, bytes)| u128::from(count) * u128::from(bytes))
        .sum()
    }

    /// The parts of [`Self::memory`].
    fn parts(&self, sockets: u64, bytes_a_socket: u64) -> String {
        let connections = (self.connections > 0).then(|| {
            let size = BYTES_A_CONNECTION >> 10;
            format!(
                "{size} KB for each of up to {} connections",
                self.connections
            )
        });
        let sockets = (sockets > 0)
            .then(|| format!("{} KB for each of {sockets} sockets", bytes_a_socket >> 10));
        let chats = format!("{} KB each", BYTES_A_CHAT >> 10);
        match [connections, sockets] {
            [None, None] => chats,
            [Some(one), None] | [None, Some(one)] => format!("{chats}, and {one}"),
            [Some(connections), Some(sockets)] => format!("{chats}, {connections}, and {sockets}"),
        }
    }

    /// Who has so many connections, which are those that are certain or all.
    fn who(&self, count: u64) -> String {
        let is_certain = count <= self.certain();
        let sockets = if is_certain {
            Bounds::exactly(self.sockets_a_chat.least)
        } else {
            self.sockets_a_chat
        };
        let sockets = (sockets.most != Some(0)).then(|| format!("{} each", sockets.of("socket")));
        let mut condition = "";
        let connections = match self.sharing {
            _ if self.connections == 0 => None,
            Sharing::PerCustomer => Some("a connection each".to_owned()),
            Sharing::Shared { .. } if is_certain => None,
            Sharing::Shared { .. } => {
                condition = "if the target answers slowly, ";
                Some(format!("up to {} connections", self.connections))
            }
        };
        let all: Vec<_> = [sockets, connections].into_iter().flatten().collect();
        format!("{condition}{} chats need {}", self.chats, all.join(" and "))
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
