use minijinja::Value;

use super::*;
use crate::{
    cgroup::{CpuLimit, GroupLimits, MemoryLimit},
    document::{Problems, parse},
    scenario::Scenario,
};

const PLENTY: Machine = Machine {
    cpus: 64,
    files: 1_000_000,
    open: Some(0),
    outbound: 0,
    ports: Some(60_000),
    memory: Some(1 << 40),
    limits: Some(GroupLimits {
        memory: Vec::new(),
        cpu: None,
    }),
};

fn findings(machine: &Machine, load: &str, capacity: Option<u64>) -> Findings {
    findings_with("{}", machine, load, capacity)
}

fn findings_with(
    connections: &str,
    machine: &Machine,
    load: &str,
    capacity: Option<u64>,
) -> Findings {
    let steps =
        "  - { step: a, http: { get: 'http://x/' } }\n  - { step: b, http: { get: 'http://x/' } }";
    findings_of(steps, connections, machine, load, capacity)
}

fn findings_of(
    steps: &str,
    connections: &str,
    machine: &Machine,
    load: &str,
    capacity: Option<u64>,
) -> Findings {
    let problems = Problems::default();
    let read = |text: &str| parse("test.yaml", text).unwrap();
    let steps = format!("scenario: s\nsteps:\n{steps}");
    let scenario = Scenario::read(&read(&steps), &problems);
    let load = Profile::read(&read(load), &problems);
    assert_eq!(problems.into_result(), Ok(()));
    let connections: ConnectionSettings = serde_yaml::from_str(connections).unwrap();
    let cost = (scenario.unwrap()).cost(Value::UNDEFINED, &Value::UNDEFINED);
    machine.examine(&cost, &[&connections], &load.unwrap(), capacity)
}

#[test]
fn what_fits_is_not_talked_about() {
    let load = "{ rate: 1000/s, for: 1m, max_active: 20000 }";
    assert_eq!(findings(&PLENTY, load, None), Findings::default());
}

#[test]
fn chats_that_do_not_fit_into_memory_are_refused_with_the_arithmetic() {
    let machine = Machine {
        memory: Some(100 << 20),
        ..PLENTY
    };
    assert_eq!(
        findings(&machine, "{ chats: 20000 }", None).refusals,
        [
            "20000 chats at once take about 220 MB of memory (8 KB each, and 16 KB for each of up to 4096 connections), \
             and 100 MB are available: ask for fewer, or give the machine more"
        ]
    );
    let fewer = findings(&machine, "{ rate: 1/s, for: 1m }", Some(3_000));
    assert_eq!(fewer, Findings::default());
}

/// As the control group has it.
fn limited(bytes: u64, left: u64) -> Machine {
    Machine {
        limits: Some(GroupLimits {
            memory: vec![MemoryLimit {
                bytes,
                left,
                file: "/sys/fs/cgroup/chatprobe.service/memory.max".into(),
            }],
            cpu: Some(CpuLimit {
                cpus: 0.5,
                file: "/sys/fs/cgroup/chatprobe.service/cpu.max".into(),
            }),
        }),
        ..PLENTY
    }
}

#[test]
fn chats_that_do_not_fit_into_the_control_group_are_refused_with_its_limit() {
    let machine = limited(64 << 20, 40 << 20);
    assert_eq!(
        findings(&machine, "{ chats: 20000 }", None).refusals,
        [
            "20000 chats at once take about 220 MB of memory (8 KB each, and 16 KB for each of up to 4096 connections), \
             and 40 MB are available to the control group, of the 64 MB of \
             `/sys/fs/cgroup/chatprobe.service/memory.max`: ask for fewer, or raise that limit (MemoryMax and \
             MemoryHigh of systemd, the memory of the container)"
        ]
    );
    // Where the host hides what it has, the group is still known.
    let machine = Machine {
        memory: None,
        ..machine
    };
    assert_eq!(
        findings(&machine, "{ chats: 20000 }", None).refusals.len(),
        1
    );
    let roomy = limited(1 << 30, 1 << 30);
    assert_eq!(
        findings(&roomy, "{ chats: 20000 }", None),
        Findings::default()
    );
    // The host has less than the group may have.
    let machine = Machine {
        memory: Some(100 << 20),
        ..roomy
    };
    let refusals = findings(&machine, "{ chats: 20000 }", None).refusals;
    assert!(
        refusals[0].ends_with("and 100 MB are available: ask for fewer, or give the machine more")
    );
}

#[test]
fn a_rate_is_held_against_the_cpu_time_of_the_control_group() {
    let machine = limited(1 << 40, 1 << 40);
    let at = |rate| findings(&machine, &format!("{{ rate: {rate}/s, for: 1m }}"), None);
    assert_eq!(at(2_000), Findings::default());
    let warnings = at(4_000).warnings;
    let told =
        "and there are 0.5 by `/sys/fs/cgroup/chatprobe.service/cpu.max`: starts may be late";
    assert!(warnings[0].contains(told), "{warnings:?}");
    assert_eq!(at(20_000).refusals.len(), 1);
}

fn narrow() -> Machine {
    Machine {
        files: 1_024,
        ports: Some(1_000),
        ..PLENTY
    }
}

#[test]
fn too_few_files_or_ports_are_a_warning_because_most_targets_answer_soon() {
    let load = "{ rate: 1/s, for: 1m, max_active: 2000 }";
    let said = findings(&narrow(), load, None);
    assert_eq!(said.refusals, Vec::<String>::new());
    assert!(said.warnings[0].contains("`ulimit -n 2224`"), "{said:?}");
    assert!(said.warnings[1].contains("1000 are possible"), "{said:?}");
    assert_eq!(said.warnings.len(), 2);
    let fewer = findings_with("{ most: 500 }", &narrow(), load, None);
    assert_eq!(fewer, Findings::default());
}

#[test]
fn customers_with_a_connection_each_are_refused_where_there_is_no_room_for_them() {
    let load = "{ chats: 2000 }";
    let said = findings_with("{ per_customer: true }", &narrow(), load, None);
    assert_eq!(said.warnings, Vec::<String>::new());
    assert_eq!(said.refusals.len(), 2);
    for (refusal, parts) in [
        (
            0,
            [
                "2000 chats need a connection each",
                "2000 connections, and 800 more to targets may be opened, because of 1024 files",
            ],
        ),
        (
            1,
            ["2000 chats need a connection each", "1000 are possible"],
        ),
    ] {
        for part in parts {
            assert!(said.refusals[refusal].contains(part), "{part}: {said:?}");
        }
    }
    let machine = Machine {
        files: 10_000,
        ..narrow()
    };
    let two = "{ per_customer: true, from: [127.0.0.1, 127.0.0.2] }";
    assert_eq!(
        findings_with(two, &machine, load, None),
        Findings::default()
    );
}

#[test]
fn connections_are_held_against_the_share_that_the_process_grants_them() {
    let refusals = |files, outbound, open, chats| {
        let machine = Machine {
            files,
            open,
            outbound,
            ..PLENTY
        };
        let load = format!("{{ chats: {chats} }}");
        findings_with("{ per_customer: true }", &machine, &load, None).refusals
    };
    for (files, outbound, open, most) in [
        (256, 0, Some(40), 120),
        (256, 20, Some(60), 100),
        (256, 0, None, 120),
        (1_024, 0, Some(40), 800),
        // It inherited many.
        (256, 0, Some(200), 56),
    ] {
        assert_eq!(refusals(files, outbound, open, most), Vec::<String>::new());
        assert_eq!(
            refusals(files, outbound, open, most + 1).len(),
            1,
            "{files}"
        );
    }
    assert_eq!(refusals(0, 0, Some(40), 50_000), Vec::<String>::new());
}

const TWO_SOCKETS: &str =
    "  - { step: a, connect: 'ws://x/' }\n  - { step: b, connect: { url: 'ws://x/', as: agent } }";
const SOCKET_AND_REQUEST: &str =
    "  - { step: a, http: { get: 'http://x/' } }\n  - { step: b, connect: 'ws://x/' }";
const SOCKET_OF_SOME: &str = "  - { step: a, when: chat.number > 1, connect: 'ws://x/' }";

#[test]
fn sockets_need_files_and_ports_for_certain() {
    let load = "{ chats: 900 }";
    let of = |steps, connections, load| findings_of(steps, connections, &narrow(), load, None);
    let said = of(TWO_SOCKETS, "{}", load);
    assert_eq!(said.warnings, Vec::<String>::new());
    let told = "900 chats need 2 sockets each: 1800 connections, and 800 more to targets may be opened, because of 1024 \
                files";
    assert!(said.refusals[0].starts_with(told), "{said:?}");
    let told = "900 chats need 2 sockets each: 1000 are possible, one from each local port";
    assert!(said.refusals[1].starts_with(told), "{said:?}");
    assert_eq!(said.refusals.len(), 2);
    assert_eq!(of(TWO_SOCKETS, "{}", "{ chats: 400 }"), Findings::default());
    // No request goes over the connections of the pool.
    let all = "{ chats: 800 }";
    let one = "  - { step: a, connect: 'ws://x/' }";
    assert_eq!(of(one, "{ per_customer: true }", all), Findings::default());
}

#[test]
fn sockets_come_on_top_of_the_connections_of_requests() {
    let load = "{ chats: 600 }";
    let of = |steps, connections| findings_of(steps, connections, &narrow(), load, None);
    let said = of(SOCKET_AND_REQUEST, "{ most: 300 }");
    assert_eq!(said.refusals, Vec::<String>::new());
    let told = "if the target answers slowly, 600 chats need 1 socket each and up to 300 connections: 900 connections";
    assert!(said.warnings[0].starts_with(told), "{said:?}");
    assert_eq!(said.warnings.len(), 1);
    let said = of(SOCKET_AND_REQUEST, "{ per_customer: true }");
    let told = "600 chats need 1 socket each and a connection each: 1200 connections";
    assert!(said.refusals[0].starts_with(told), "{said:?}");
    assert_eq!((said.refusals.len(), said.warnings.len()), (2, 0));
}

#[test]
fn sockets_that_depend_on_a_condition_are_a_warning() {
    let said = findings_of(SOCKET_OF_SOME, "{}", &narrow(), "{ chats: 900 }", None);
    assert_eq!(said.refusals, Vec::<String>::new());
    let told = "900 chats need up to 1 socket each";
    // Files; the ports suffice. Whether chats send other requests is not known either.
    assert!(said.warnings[0].contains(told), "{said:?}");
}

#[test]
fn the_memory_of_sockets_is_reckoned_with_and_that_of_tls_warned_of() {
    let at = |memory| {
        let machine = Machine {
            memory: Some(memory),
            ..PLENTY
        };
        let one = "  - { step: a, connect: 'ws://x/' }";
        findings_of(one, "{}", &machine, "{ chats: 20000 }", None)
    };
    assert_eq!(
        at(200 << 20).refusals,
        [
            "20000 chats at once take about 234 MB of memory (8 KB each, and 4 KB for each of 20000 sockets), \
             and 200 MB are available: ask for fewer, or give the machine more"
        ]
    );
    let said = at(300 << 20);
    assert_eq!(said.refusals, Vec::<String>::new());
    let told = "if their sockets use TLS, 20000 chats at once take up to 468 MB of memory (8 KB each, and 16 KB for \
                each of 20000 sockets), and 300 MB are available";
    assert!(said.warnings[0].starts_with(told), "{said:?}");
    assert_eq!(at(600 << 20), Findings::default());
}

#[test]
fn ports_of_ended_chats_rest_for_a_minute() {
    let machine = Machine {
        ports: Some(10_000),
        ..PLENTY
    };
    let load = "{ rate: 500/s, for: 5m, max_active: 3000 }";
    let said = findings_with("{ per_customer: true }", &machine, load, None);
    assert_eq!(said.refusals, Vec::<String>::new());
    assert_eq!(said.warnings.len(), 1);
    assert!(
        said.warnings[0].contains("need 33000 ports, and there are 10000"),
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
            findings_with(connections, &machine, load, None),
            Findings::default()
        );
    }
}

#[test]
fn connections_cannot_leave_from_elsewhere() {
    let said = findings_with(
        "{ from: [127.0.0.1, 192.0.2.1] }",
        &PLENTY,
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
fn a_rate_is_refused_where_it_cannot_be_and_warned_of_where_it_may_not_be() {
    let machine = Machine { cpus: 2, ..PLENTY };
    let at = |rate| findings(&machine, &format!("{{ rate: {rate}/s, for: 1m }}"), None);
    assert_eq!(at(9_000), Findings::default());
    let warned = at(20_000);
    assert!(
        warned.warnings[0].contains("usually take 4.0 CPUs"),
        "{warned:?}"
    );
    let impossible = at(80_000);
    assert_eq!(
        impossible.refusals,
        [
            "80000 starts a second with 2 requests each take 2.4 CPUs at the least (15 µs a request), \
             and there are 2: ask for a lower rate, or spread the load over machines"
        ]
    );
    assert_eq!(impossible.warnings, Vec::<String>::new());
}

#[test]
fn of_requests_that_are_not_known_the_fewest_refuse_and_the_most_are_warned_of() {
    let machine = Machine { cpus: 2, ..PLENTY };
    let at = |rate: u32, least, most| {
        let problems = Problems::default();
        let load = parse("test.yaml", &format!("{{ rate: {rate}/s, for: 1m }}")).unwrap();
        let cost = Cost {
            chat: Bounds { least, most },
            around: Bounds::exactly(0),
            longest_chat: None,
            longest_cleanup: None,
            sockets: Bounds::exactly(0),
            short_stays: Vec::new(),
            rows: None,
            errors: Vec::new(),
        };
        let load = Profile::read(&load, &problems).unwrap();
        machine.examine(&cost, &[&ConnectionSettings::default()], &load, None)
    };
    assert_eq!(at(80_000, 1, Some(1)).refusals, Vec::<String>::new());
    assert!(
        at(80_000, 2, None).refusals[0].contains("with at least 2 requests each take 2.4 CPUs")
    );
    assert_eq!(at(1_000, 2, None), Findings::default());
    assert!(
        at(1_000, 2, Some(50)).warnings[0]
            .contains("with 2 to 50 requests each usually take 5.0 CPUs")
    );
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
        limits: None,
        ..PLENTY
    };
    for connections in ["{}", "{ per_customer: true }"] {
        let said = findings_with(connections, &machine, "{ chats: 20000 }", None);
        assert_eq!(said.refusals, Vec::<String>::new());
        assert_eq!(said.warnings.len(), 1);
        for part in [
            "/proc/meminfo",
            "/proc/self/fd",
            "ip_local_port_range",
            "/proc/self/cgroup",
        ] {
            assert!(said.warnings[0].contains(part), "{said:?}");
        }
    }
    let machine = Machine {
        open: None,
        ..narrow()
    };
    let said = findings_with("{ per_customer: true }", &machine, "{ chats: 2000 }", None);
    assert_eq!(said.refusals.len(), 2, "what is known counts: {said:?}");
}

#[test]
fn a_load_with_more_chats_than_rows_is_told_before_it_starts() {
    let said = |load: &str, rows: u64| {
        let problems = Problems::default();
        let load = Profile::read(&parse("test.yaml", load).unwrap(), &problems).unwrap();
        let cost = Cost {
            chat: Bounds::exactly(1),
            around: Bounds::exactly(0),
            longest_chat: None,
            longest_cleanup: None,
            sockets: Bounds::exactly(0),
            short_stays: Vec::new(),
            rows: Some(("accounts".into(), rows)),
            errors: Vec::new(),
        };
        let findings = PLENTY.examine(&cost, &[&ConnectionSettings::default()], &load, None);
        assert_eq!(findings.refusals, Vec::<String>::new());
        findings.warnings
    };
    assert_eq!(said("{ chats: 100 }", 100), Vec::<String>::new());
    assert_eq!(
        said("{ customers: 100, for: 1m }", 10),
        Vec::<String>::new()
    );
    for load in ["{ chats: 101 }", "{ rate: 101/s, for: 1s }"] {
        let warnings = said(load, 100);
        assert!(warnings[0].contains("101 chats"), "{warnings:?}");
        assert!(warnings[0].contains("`accounts`"), "{warnings:?}");
    }
}
