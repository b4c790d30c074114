//! A real Redis on loopback.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Folder, PATIENCE, Program, eventually, free_address};

/// One that keeps nothing.
pub struct Redis {
    pub address: SocketAddr,
    _program: Program,
}

impl Redis {
    pub async fn start() -> Self {
        Self::start_at(free_address()).await
    }

    pub async fn start_at(address: SocketAddr) -> Self {
        let folder = Folder::new();
        let arguments = [
            "--bind".to_owned(),
            address.ip().to_string(),
            "--port".to_owned(),
            address.port().to_string(),
            "--save".to_owned(),
            String::new(),
            "--dir".to_owned(),
            folder.argument(""),
        ];
        let program = Program::start("redis-server", "redis-server", folder, &arguments);
        let redis = Self {
            address,
            _program: program,
        };
        eventually("Redis answers", async || {
            let answer = redis.try_command("PING").await?;
            answer.contains("PONG").then_some(())
        })
        .await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// What it answers to a command on a line, if it fits into one packet.
    pub async fn command(&self, command: &str) -> String {
        self.try_command(command).await.unwrap()
    }

    async fn try_command(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await
            .ok()?;
        let mut answer = vec![0; 4_096];
        let read = timeout(PATIENCE, stream.read(&mut answer)).await.ok()?;
        answer.truncate(read.ok()?);
        String::from_utf8(answer).ok()
    }
}
