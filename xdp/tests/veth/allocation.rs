//! The receive loop allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use xdp::{Attachment, Options, Sender};

use crate::namespace::{SENDING, Veth, WATCHED, with_veth};
use crate::packets::segment;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting per thread: other tests of this binary do not disturb.
struct Counting;

// SAFETY: passes everything on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn receiving_allocates_nothing() {
    with_veth(Veth::default(), || {
        let wanted = Options { frames: 256, ..Options::new(WATCHED) };
        let (_attachment, mut queues) = Attachment::open(&wanted).unwrap();
        let queue = &mut queues[0];
        let frame = segment(1);
        let mut sender = Sender::open(SENDING, 0).unwrap();
        let start = Instant::now();
        let mut received = 0;
        while received < 1000 {
            assert!(start.elapsed() < Duration::from_secs(30), "{received} packets came");
            sender.send_all(&[frame.as_slice(); 50]).unwrap();
            let before = ALLOCATIONS.get();
            let mut bytes = 0;
            loop {
                let lent = queue.receive();
                bytes += (0..lent).map(|index| queue.frame(index).len()).sum::<usize>();
                received += lent;
                if lent == 0 && !queue.wait(Duration::from_millis(1)).unwrap() {
                    break;
                }
            }
            assert_eq!(ALLOCATIONS.get(), before);
            assert_eq!(bytes % frame.len(), 0);
        }
    });
}
