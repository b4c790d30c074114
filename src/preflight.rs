//! Before a burst: what it asks for is set against what this machine has. What cannot work is refused,
//! with the arithmetic and what to do; what may not is said.

use std::{fs, net::UdpSocket, thread::available_parallelism};

use sysinfo::System;

use crate::{
    descriptors,
    driver::{Connections, Sharing},
    load::Profile,
    scenario::{Action, Scenario},
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
/// Files besides the connections to the target: listeners, logs, connections from the target.
const OTHER_FILES: u64 = 300;

const MORE_PORTS: &str = "`sysctl net.ipv4.ip_local_port_range='1024 65535'` makes it 64512 each, and \
                          `connections: { from: [...] }` of the target takes more addresses";

/// What this machine has for a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// CPUs that the process may use.
    pub cpus: usize,
    /// Files that it may open.
    pub files: u64,
    /// Those of them that are open; `None` where `/proc` does not show them.
    pub open: Option<u64>,
    /// Local ports, so many connections from one address to another; `None` where `/proc` does not
    /// show them.
    pub ports: Option<u64>,
    /// Memory that could be had, in bytes; `None` where `/proc` does not show it.
    pub memory: Option<u64>,
}

/// What there is to say before a burst starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it cannot work, each with the arithmetic and a remedy.
    pub refusals: Vec<String>,
    /// What may go wrong, likewise.
    pub doubts: Vec<String>,
}

impl Machine {
    /// As it is now.
    pub fn look() -> Self {
        Self {
            cpus: available_parallelism().map_or(1, usize::from),
            files: descriptors::allowed(),
            open: descriptors::open(),
            ports: ports(),
            memory: memory(),
        }
    }

    /// What a load asks of it. `room`: the most chats at once, where the load itself has no bound.
    pub fn examine(
        &self,
        scenario: &Scenario,
        connections: &Connections,
        load: &Profile,
        room: Option<u64>,
    ) -> Findings {
        let mut findings = Findings::default();
        examine_sources(connections, &mut findings);
        self.examine_view(&mut findings);
        let most = [load.peak_active(), room].into_iter().flatten().min();
        if let Some(chats) = most {
            self.examine_memory(chats, connections, &mut findings);
            self.examine_connections(chats, connections, &mut findings);
            self.examine_ports_in_time(chats, connections, load, &mut findings);
        }
        if let Some(rate) = load.peak_rate().filter(|_| load.is_open()) {
            self.examine_rate(rate.as_per_second(), requests(scenario), &mut findings);
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
        ]
        .into_iter()
        .filter_map(|(hidden, what)| hidden.then_some(what))
        .collect();
        if !hidden.is_empty() {
            findings.doubts.push(format!(
                "{} cannot be read, so whether the load fits this machine was not fully checked; make /proc visible \
                 to chatprobe (for systemd: ProcSubset=all)",
                hidden.join(", ")
            ));
        }
    }

    fn examine_memory(&self, chats: u64, wanted: &Connections, findings: &mut Findings) {
        let Some(available) = self.memory else { return };
        let connections = most_connections(chats, wanted);
        // The product of two numbers of 64 bits fits into 128.
        let memory = u128::from(chats) * u128::from(BYTES_A_CHAT)
            + u128::from(connections) * u128::from(BYTES_A_CONNECTION);
        if memory > u128::from(available) {
            findings.refusals.push(format!(
                "{chats} chats at once take about {} MB of memory ({} KB each, and {} KB for each of up to {connections} \
                 connections), and {} MB are available: ask for fewer, or give the machine more",
                memory >> 20,
                BYTES_A_CHAT >> 10,
                BYTES_A_CONNECTION >> 10,
                available >> 20
            ));
        }
    }

    /// Customers with a connection each need them all. Of those who share, only a slow target keeps
    /// so many busy.
    fn examine_connections(&self, chats: u64, wanted: &Connections, findings: &mut Findings) {
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
                (who, &mut findings.doubts)
            }
        };
        let files = connections.saturating_add(OTHER_FILES);
        let open = self.open.unwrap_or(0);
        let free = self.files.saturating_sub(open);
        if files > free {
            found.push(format!(
                "{who}: with {OTHER_FILES} for the rest that makes {files} files, and {free} more may be opened; \
                 `ulimit -n {}` (or LimitNOFILE, or ulimits of the container) allows them",
                files.saturating_add(open)
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
        wanted: &Connections,
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
            findings.doubts.push(format!(
                "up to {chats} chats with a connection each, and the ports of those that ended in the last minute, \
                 need {needed} ports, and there are {ports}: unless the target closes first, connections will fail; \
                 {MORE_PORTS}"
            ));
        }
    }

    fn ports_of(&self, wanted: &Connections) -> u64 {
        let sources = u64::try_from(wanted.from.len()).map_or(1, |count| count.max(1));
        let ports = self.ports.unwrap_or(u64::MAX);
        ports.saturating_mul(sources)
    }

    fn examine_rate(&self, rate: f64, requests: usize, findings: &mut Findings) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "steps and CPUs are far fewer than 2^52"
        )]
        let (requests, cpus) = (requests as f64, self.cpus as f64);
        let least = rate * requests * LEAST_SECONDS_A_REQUEST;
        let usual = rate * requests * USUAL_SECONDS_A_REQUEST;
        if least > cpus {
            findings.refusals.push(format!(
                "{rate} starts a second with {requests} requests each take {least:.1} CPUs at the least \
                 ({} µs a request), and there are {cpus}: ask for a lower rate, or spread the load over machines",
                LEAST_SECONDS_A_REQUEST * 1e6
            ));
        } else if usual > cpus {
            findings.doubts.push(format!(
                "{rate} starts a second with {requests} requests each usually take {usual:.1} CPUs \
                 ({} µs a request), and there are {cpus}: starts may be late, and the verdict `invalid`",
                USUAL_SECONDS_A_REQUEST * 1e6
            ));
        }
    }
}

/// Connections to one server that chats have at the most.
fn most_connections(chats: u64, wanted: &Connections) -> u64 {
    match wanted.sharing {
        Sharing::PerCustomer => chats,
        Sharing::Shared { most, .. } => chats.min(u64::try_from(most.get()).unwrap_or(u64::MAX)),
    }
}

/// Connections cannot leave from an address that is another machine's.
fn examine_sources(connections: &Connections, findings: &mut Findings) {
    for source in &connections.from {
        if let Err(error) = UdpSocket::bind((*source, 0)) {
            findings.refusals.push(format!(
                "connections cannot leave from `{source}`: {error}; `ip address` lists the addresses of this machine"
            ));
        }
    }
}

/// Requests of a chat whose steps all pass, those of a repeat once.
pub fn requests(scenario: &Scenario) -> usize {
    let mut requests = 0;
    for item in &scenario.steps {
        item.each_step(&mut |step| requests += usize::from(matches!(step.action, Action::Http(_))));
    }
    requests
}

fn memory() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    // Without /proc/meminfo all of it is zero.
    let available = (system.total_memory() > 0).then(|| system.available_memory())?;
    let limits = system.cgroup_limits();
    Some(limits.map_or(available, |limits| limits.free_memory.min(available)))
}

fn ports() -> Option<u64> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = range.split_whitespace().map(str::parse::<u64>);
    let (low, high) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    high.checked_sub(low).map(|between| between + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Problems, parse};

    const PLENTY: Machine = Machine {
        cpus: 64,
        files: 1_000_000,
        open: Some(0),
        ports: Some(60_000),
        memory: Some(1 << 40),
    };

    fn findings(machine: Machine, load: &str, room: Option<u64>) -> Findings {
        findings_with("{}", machine, load, room)
    }

    fn findings_with(
        connections: &str,
        machine: Machine,
        load: &str,
        room: Option<u64>,
    ) -> Findings {
        let problems = Problems::default();
        let read = |text: &str| parse("test.yaml", text).unwrap();
        let steps = "scenario: s\nsteps:\n  - { step: a, http: { get: 'http://x/' } }\n  - { step: b, http: { get: 'http://x/' } }";
        let scenario = Scenario::read(&read(steps), &problems);
        let load = Profile::read(&read(load), &problems);
        assert_eq!(problems.into_result(), Ok(()));
        let connections = serde_yaml::from_str(connections).unwrap();
        machine.examine(&scenario.unwrap(), &connections, &load.unwrap(), room)
    }

    #[test]
    fn what_fits_is_not_talked_about() {
        let load = "{ rate: 1000/s, for: 1m, max_active: 20000 }";
        assert_eq!(findings(PLENTY, load, None), Findings::default());
    }

    #[test]
    fn chats_that_do_not_fit_into_memory_are_refused_with_the_arithmetic() {
        let machine = Machine {
            memory: Some(100 << 20),
            ..PLENTY
        };
        assert_eq!(
            findings(machine, "{ chats: 20000 }", None).refusals,
            [
                "20000 chats at once take about 220 MB of memory (8 KB each, and 16 KB for each of up to 4096 connections), \
                 and 100 MB are available: ask for fewer, or give the machine more"
            ]
        );
        let fewer = findings(machine, "{ rate: 1/s, for: 1m }", Some(3_000));
        assert_eq!(fewer, Findings::default());
    }

    const NARROW: Machine = Machine {
        files: 1_024,
        ports: Some(1_000),
        ..PLENTY
    };

    #[test]
    fn too_few_files_or_ports_are_doubtful_because_most_targets_answer_soon() {
        let load = "{ rate: 1/s, for: 1m, max_active: 2000 }";
        let said = findings(NARROW, load, None);
        assert_eq!(said.refusals, Vec::<String>::new());
        assert!(said.doubts[0].contains("makes 2300 files"), "{said:?}");
        assert!(said.doubts[1].contains("1000 are possible"), "{said:?}");
        assert_eq!(said.doubts.len(), 2);
        let fewer = findings_with("{ most: 500 }", NARROW, load, None);
        assert_eq!(fewer, Findings::default());
    }

    #[test]
    fn customers_with_a_connection_each_are_refused_where_there_is_no_room_for_them() {
        let load = "{ chats: 2000 }";
        let said = findings_with("{ per_customer: true }", NARROW, load, None);
        assert_eq!(said.doubts, Vec::<String>::new());
        assert_eq!(said.refusals.len(), 2);
        for (refusal, parts) in [
            (
                0,
                [
                    "2000 chats have a connection each",
                    "makes 2300 files, and 1024 more may be opened",
                ],
            ),
            (
                1,
                ["2000 chats have a connection each", "1000 are possible"],
            ),
        ] {
            for part in parts {
                assert!(said.refusals[refusal].contains(part), "{part}: {said:?}");
            }
        }
        let machine = Machine {
            files: 10_000,
            ..NARROW
        };
        let two = "{ per_customer: true, from: [127.0.0.1, 127.0.0.2] }";
        assert_eq!(findings_with(two, machine, load, None), Findings::default());
    }

    #[test]
    fn ports_of_ended_chats_rest_for_a_minute() {
        let machine = Machine {
            ports: Some(10_000),
            ..PLENTY
        };
        let load = "{ rate: 500/s, for: 5m, max_active: 3000 }";
        let said = findings_with("{ per_customer: true }", machine, load, None);
        assert_eq!(said.refusals, Vec::<String>::new());
        assert_eq!(said.doubts.len(), 1);
        assert!(
            said.doubts[0].contains("need 33000 ports, and there are 10000"),
            "{said:?}"
        );
        for (connections, load) in [
            ("{}", load),
            (
                "{ per_customer: true }",
                "{ rate: 500/s, for: 15s, max_active: 3000 }",
            ),
        ] {
            assert_eq!(
                findings_with(connections, machine, load, None),
                Findings::default()
            );
        }
    }

    #[test]
    fn connections_cannot_leave_from_elsewhere() {
        let said = findings_with(
            "{ from: [127.0.0.1, 192.0.2.1] }",
            PLENTY,
            "{ chats: 1 }",
            None,
        );
        assert_eq!(said.refusals.len(), 1);
        assert!(
            said.refusals[0].starts_with("connections cannot leave from `192.0.2.1`: "),
            "{said:?}"
        );
    }

    #[test]
    fn a_rate_is_refused_where_it_cannot_be_and_doubted_where_it_may_not_be() {
        let machine = Machine { cpus: 2, ..PLENTY };
        let at = |rate| findings(machine, &format!("{{ rate: {rate}/s, for: 1m }}"), None);
        assert_eq!(at(9_000), Findings::default());
        let doubtful = at(20_000);
        assert!(
            doubtful.doubts[0].contains("usually take 4.0 CPUs"),
            "{doubtful:?}"
        );
        let impossible = at(80_000);
        assert_eq!(
            impossible.refusals,
            [
                "80000 starts a second with 2 requests each take 2.4 CPUs at the least (15 µs a request), \
                 and there are 2: ask for a lower rate, or spread the load over machines"
            ]
        );
        assert_eq!(impossible.doubts, Vec::<String>::new());
    }

    #[test]
    fn this_machine_has_something() {
        let machine = Machine::look();
        let open = machine.open.unwrap();
        assert!(
            machine.cpus > 0 && open > 2 && machine.files > open,
            "{machine:?}"
        );
        assert!(machine.memory.unwrap() > 1 << 20, "{machine:?}");
        assert!(
            (1..=65_536).contains(&machine.ports.unwrap()),
            "{machine:?}"
        );
    }

    #[test]
    fn what_the_machine_does_not_show_is_said_and_no_reason_to_refuse() {
        let machine = Machine {
            open: None,
            ports: None,
            memory: None,
            ..PLENTY
        };
        for connections in ["{}", "{ per_customer: true }"] {
            let said = findings_with(connections, machine, "{ chats: 20000 }", None);
            assert_eq!(said.refusals, Vec::<String>::new());
            assert_eq!(said.doubts.len(), 1);
            for part in ["/proc/meminfo", "/proc/self/fd", "ip_local_port_range"] {
                assert!(said.doubts[0].contains(part), "{said:?}");
            }
        }
        let machine = Machine {
            open: None,
            ..NARROW
        };
        let said = findings_with("{ per_customer: true }", machine, "{ chats: 2000 }", None);
        assert_eq!(said.refusals.len(), 2, "what is known counts: {said:?}");
    }
}
