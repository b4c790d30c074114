//! For tests that need the stamps of the kernel.

use std::{io::Write as _, net, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpStream, time::Instant};

use super::{StampedStream, stamp};

/// The kernel begins to stamp a moment after the first socket of the machine asked for it.
const STAMPED_WITHIN: Duration = Duration::from_secs(20);

/// Both ends of a connection that is stamped here. As long as it is open, the kernel stamps all that arrives.
pub(crate) async fn stamped_connection() -> (StampedStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).await;
    let here = here.unwrap();
    stamp(&here);
    let (mut far, _) = listener.accept().unwrap();
    far.set_nodelay(true).unwrap();
    let mut here = StampedStream::new(here);
    let arrivals = here.arrivals();
    let begun = Instant::now();
    loop {
        far.write_all(b"?").unwrap();
        here.read_u8().await.unwrap();
        if arrivals.latest().read_delay.is_some() {
            return (here, far);
        }
        assert!(
            begun.elapsed() < STAMPED_WITHIN,
            "the kernel gives no stamp"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
