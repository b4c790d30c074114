//! A real node exporter on loopback.

use super::{Folder, Program, free_address};

/// Tells of this machine.
pub struct NodeExporter {
    pub address: String,
    _program: Program,
}

impl NodeExporter {
    pub async fn start() -> Self {
        let address = free_address().to_string();
        let arguments = [format!("--web.listen-address={address}")];
        let name = "prometheus-node-exporter";
        let mut program = Program::start(name, name, Folder::new(), &arguments);
        let url = format!("http://{address}/metrics");
        program.answers(&url, "node_cpu_seconds_total").await;
        Self {
            address,
            _program: program,
        }
    }
}
