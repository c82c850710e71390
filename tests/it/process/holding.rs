//! The ways in which a stranger holds a connection.

use super::Hook;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long one holds on that cannot see whether it was closed, because it reads nothing.
const BLIND: Duration = Duration::from_mins(2);
/// Between two bytes of one that drips, and between two pings.
const DRIP: Duration = Duration::from_secs(1);
/// Requests of one connection that takes no reply, more than are answered at once.
const REQUESTS: u32 = 120;

#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Nothing,
    HalfAPreface,
    HalfALine,
    SlowHeader,
    /// With the credential of a hook.
    DrippingBody,
    NotReading,
    NoWindow,
    Pinging,
    HalfAHandshake,
}

impl Way {
    /// Those without TLS.
    pub(super) const PLAIN: [Self; 8] = [
        Self::Nothing,
        Self::HalfAPreface,
        Self::HalfALine,
        Self::SlowHeader,
        Self::DrippingBody,
        Self::NotReading,
        Self::NoWindow,
        Self::Pinging,
    ];

    /// Holds it for as long as it is let.
    pub(super) async fn hold(self, stream: TcpStream, hook: &Hook) {
        let _closed = match self {
            Self::Nothing => say(stream, b"", None).await,
            Self::HalfAPreface => say(stream, b"PRI * HT", None).await,
            Self::HalfALine => say(stream, b"GET /docs", None).await,
            Self::SlowHeader => {
                let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}", "a".repeat(31 << 10));
                say(stream, header.as_bytes(), Some(b"a")).await
            }
            Self::DrippingBody => {
                let credentials = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password));
                let header = format!(
                    "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\ncontent-length: 65000\r\n\r\n{}",
                    hook.path,
                    " ".repeat(32_500)
                );
                say(stream, header.as_bytes(), Some(b" ")).await
            }
            Self::NotReading => not_reading(stream).await,
            Self::NoWindow => no_window(stream).await,
            Self::Pinging => pinging(stream).await,
            Self::HalfAHandshake => say(stream, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], None).await,
        };
    }
}

/// Says it, and goes on byte by byte, until the other side has enough.
async fn say(stream: TcpStream, what: &[u8], drip: Option<&[u8]>) -> std::io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    write.write_all(what).await?;
    let closed = async { while matches!(read.read(&mut [0; 1_024]).await, Ok(1..)) {} };
    let dripping = async {
        let Some(drip) = drip else { return std::future::pending().await };
        loop {
            tokio::time::sleep(DRIP).await;
            if write.write_all(drip).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = closed => {}, () = dripping => {} }
    Ok(())
}

async fn not_reading(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    tokio::time::sleep(BLIND).await;
    Ok(())
}

async fn no_window(mut stream: TcpStream) -> std::io::Result<()> {
    // SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, 6.5.2) is 0: headers of replies may come, bodies may not.
    let mut wire = h2_opening(&[0, 4, 0, 0, 0, 0]);
    for number in 0..REQUESTS {
        wire.extend(h2_get("/docs/swagger-ui-bundle.js", number * 2 + 1));
    }
    stream.write_all(&wire).await?;
    h2_answering(stream).await
}

async fn pinging(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(&h2_opening(&[])).await?;
    h2_answering(stream).await
}

const PING: u8 = 6;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;

fn h2_opening(settings: &[u8]) -> Vec<u8> {
    let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    wire.extend(h2_frame(SETTINGS, 0, 0, settings));
    wire
}

fn h2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `HEADERS` with `END_HEADERS` and `END_STREAM`: `:method: GET` and `:scheme: http` of HPACK's static table, path and
/// authority as literals without indexing (RFC 7541, 6.2.2).
fn h2_get(path: &str, stream: u32) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.bytes());
    block.extend([0x01, 1, b'x']);
    h2_frame(1, 0x05, stream, &block)
}

/// Answers SETTINGS and PING as it must, and pings by itself, until the other side closes.
async fn h2_answering(stream: TcpStream) -> std::io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    let mut pings = tokio::time::interval(DRIP);
    let mut arrived = Vec::new();
    loop {
        let mut part = [0; 1_024];
        tokio::select! {
            count = read.read(&mut part) => match count? {
                0 => return Ok(()),
                count => arrived.extend(&part[..count]),
            },
            _ = pings.tick() => write.write_all(&h2_frame(PING, 0, 0, &[7; 8])).await?,
        }
        while arrived.len() >= 9 {
            let length = usize::from(arrived[1]) << 8 | usize::from(arrived[2]);
            if arrived.len() < 9 + length {
                break;
            }
            let frame: Vec<u8> = arrived.drain(..9 + length).collect();
            let (kind, is_answer) = (frame[3], frame[4] & ACK != 0);
            match kind {
                SETTINGS if !is_answer => write.write_all(&h2_frame(SETTINGS, ACK, 0, &[])).await?,
                PING if !is_answer => write.write_all(&h2_frame(PING, ACK, 0, &frame[9..])).await?,
                _ => {}
            }
        }
    }
}
