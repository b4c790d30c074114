//! Whoever waits for a message reads the socket itself.

use std::{future::poll_fn, pin::pin, task::Poll};

use tokio::task::try_id;

use super::{
    server::{close, say},
    *,
};

/// Waits until so many messages have come, and reads them itself.
async fn read(socket: &Socket, notes: &Notes, count: usize) {
    let reader = socket.reader();
    let mut received = pin!(notes.until_received(count));
    poll_fn(|context| {
        reader.poll(context);
        received.as_mut().poll(context).map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_reader_reads_in_its_own_turns_and_the_task_of_the_socket_in_all_others() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let notes = Notes::default();
    let tasks = Arc::<Mutex<Vec<_>>>::default();
    let readers = tasks.clone();
    let handler = notes.replying(move |_| {
        readers.lock().unwrap().push(try_id());
        Vec::new()
    });
    let opened = open_with(&opening(ws(&server)), handler).await;
    for round in [0, 1] {
        opened.socket.send(text("mine")).await.unwrap();
        read(&opened.socket, &notes, 2 * round + 1).await;
        opened.socket.send(text("its")).await.unwrap();
        notes.until_received(2 * round + 2).await;
    }
    let tasks = tasks.lock().unwrap().clone();
    // This is no task.
    let is_task: Vec<_> = tasks.iter().map(Option::is_some).collect();
    assert_eq!(is_task, [false, true, false, true]);
}

/// The runtime has several threads, so that messages arrive while a reader comes or goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_message_is_missed_where_readers_come_and_go() {
    let server = socket_server(|mut peer| async move { peer.echo().await }).await;
    let customer = |number: u64| {
        let address = ws(&server);
        async move {
            let mut random = fastrand::Rng::with_seed(number);
            let notes = Notes::default();
            let opened = open_with(&opening(address), notes.handler()).await;
            for round in 1..300 {
                opened.socket.send(text("hello")).await.unwrap();
                match random.u8(..4) {
                    0 => drop(notes.until_received(round).await),
                    1 => {
                        let reader = opened.socket.reader();
                        let look = |context: &mut std::task::Context<'_>| {
                            reader.poll(context);
                            Poll::Ready(())
                        };
                        poll_fn(look).await;
                        drop(reader);
                        notes.until_received(round).await;
                    }
                    _ => read(&opened.socket, &notes, round).await,
                }
            }
        }
    };
    let customers: Vec<_> = (0..8)
        .map(|number| tokio::spawn(customer(number)))
        .collect();
    for customer in customers {
        customer.await.unwrap();
    }
}

#[tokio::test]
async fn a_socket_that_ends_while_it_is_read_has_ended_for_all() {
    let server = socket_server(|mut peer| async move {
        peer.write(say("bye")).await;
        peer.write(close(4001, "full")).await;
        peer.until_gone().await;
    })
    .await;
    let client = client();
    let notes = Notes::default();
    let asked = opening(ws(&server));
    let handler = Box::new(notes.handler());
    let opened = client.open(&asked, handler, &OnWire::default()).await;
    let socket = opened.unwrap().socket;
    let reader = socket.reader();
    let mut closed = pin!(notes.until_closed());
    let closed = poll_fn(|context| {
        reader.poll(context);
        closed.as_mut().poll(context)
    });
    assert_eq!(closed.await.code, Some(4001));
    drop(reader);
    assert_eq!(notes.received(), [text("bye")]);
    assert_eq!(client.all_closed(PATIENCE).await, 0);
    assert!(socket.send(text("late")).await.is_err());
}
