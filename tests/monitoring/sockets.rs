//! The board of sockets and the alerts about them, over chats in simulated rooms where everything goes wrong.

use crate::{
    dashboards::{check, passes},
    support::{Folder, Process, Prometheus, Service},
};

/// Chats in one room that say something and are pinged. They pass also if their sockets are closed: probes that fail are
/// an outage, which other alerts tell.
const ROOM: &str = r#"
scenario: room
deliveries: { id: frame.json.id, containing: '"id":', within: 500ms }
steps:
  - step: connect
    connect: { url: "{{ target.url }}/websocket", ping: { every: 200ms, within: 5s } }
    member_of: lobby
  - step: join
    send: { json: { type: join, room: lobby, name: "Customer {{ chat.number }}" } }
  - repeat: 5
    steps:
      - step: say
        send: { json: { type: say, room: lobby, id: "{{ chat.id }}-{{ repeat.index }}", text: hello } }
        publish: { id: "{{ chat.id }}-{{ repeat.index }}", to: lobby }
        else: continue
      - think: 300ms
always:
  - step: close
    close: { code: 1000 }
    else: continue
"#;

/// Frames are lost and come twice, and sockets are closed.
const FAULTS: &str = "faults:
  frames: { drop: { probability: 0.2, only: [said] }, duplicate: { probability: 0.2, only: [said] } }
  close: { probability: 0.5, code: 1011, after: 800ms }
";

/// What not every system tells: when bytes arrived.
const UNKNOWN: [&str; 3] = [
    "sockets 6 A: the kernel may give no stamps",
    "sockets 18 A: the kernel may give no stamps",
    "sockets 18 B: the kernel may give no stamps",
];

/// Chats in rooms, and who watches them.
struct Watched {
    prometheus: Prometheus,
    _service: Service,
    _rooms: Process,
    _settings: Folder,
}

impl Watched {
    async fn in_rooms() -> Self {
        let settings = Folder::new();
        let file = settings.write("rooms.yaml", FAULTS);
        let arguments = [
            "simulate",
            "rooms",
            "--listen",
            "127.0.0.1:0",
            "--settings",
            &file,
        ];
        let mut rooms = Process::start(&arguments);
        let line = rooms.line("the simulated chat rooms are at").await;
        let mut words = line.split_whitespace();
        let url = words.find(|word| word.starts_with("http://")).unwrap();
        let url = url.trim_end_matches(['/', ';']);
        let folder = Folder::new();
        folder.write("room.yaml", ROOM);
        let configuration = format!(
            "targets: {{ rooms: {{ url: '{url}' }} }}\n\
             scenarios: [room.yaml]\n\
             listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\n\
             probes: {{ lobby: {{ scenario: room, target: rooms, every: 1s }} }}\n\
             bursts: {{ crowd: {{ scenario: room, target: rooms, load: {{ customers: 10, for: 10s }} }} }}\n"
        );
        let service = Service::start_in(folder, &configuration, &[], &[]).await;
        let address = service.web.strip_prefix("http://").unwrap();
        let prometheus = Prometheus::shared(address).await;
        prometheus
            .when("sum(chatprobe_sockets_open)", |open| open > 0.0)
            .await;
        let burst = service
            .order("POST", "/api/v1/bursts", "{ burst: crowd }")
            .await;
        assert_eq!(burst.status, 202, "{burst:?}");
        let increase = |series: &str| format!("sum(increase({series}[1m]))");
        for series in [
            "chatprobe_deliveries_total{fate='delivered'}",
            "chatprobe_deliveries_total{fate='lost'}",
            "chatprobe_deliveries_total{fate='duplicate'}",
            "chatprobe_sockets_closed_total{by='target', code='1011'}",
            "chatprobe_sockets_closed_total{by='us', code='1000'}",
            "chatprobe_delivery_seconds_count",
            "chatprobe_socket_pong_seconds_count",
            "chatprobe_frame_send_seconds_count",
        ] {
            prometheus
                .when(&increase(series), |count| count > 0.0)
                .await;
        }
        Self {
            prometheus,
            _service: service,
            _rooms: rooms,
            _settings: settings,
        }
    }
}

#[tokio::test]
async fn every_query_about_sockets_returns_data_and_both_alerts_fire_where_everything_goes_wrong() {
    let watched = Watched::in_rooms().await;
    let prometheus = &watched.prometheus;
    let excepted = UNKNOWN.map(|query| format!("--except={query}"));
    let mut arguments: Vec<&str> = excepted.iter().map(String::as_str).collect();
    arguments.extend(["--nothing-empty", "--board", "sockets", &prometheus.url]);
    passes(&check(&arguments));
    for alert in ["ChatprobeDeliveriesLost", "ChatprobeSocketsClosed"] {
        let firing = format!("count(ALERTS{{alertname='{alert}', alertstate='firing'}})");
        prometheus.when(&firing, |count| count > 0.0).await;
    }
}
