//! Any chunking of a peer's bytes against one byte at a time and against all at once.

use arbitrary::{Result, Unstructured};

use crate::driver::{Setup, peers_bytes};

/// However the same bytes are cut, the same events, faults, answers and end come of them.
pub fn any_chunking(data: &[u8]) {
    // Input that is too short to say everything says nothing.
    let _ = compare(&mut Unstructured::new(data));
}

fn compare(input: &mut Unstructured<'_>) -> Result<()> {
    let setup = Setup::arbitrary(input)?;
    let sizes: Vec<usize> = (0..input.int_in_range(1..=4)?)
        .map(|_| input.int_in_range(1..=60))
        .collect::<Result<_>>()?;
    let mut bytes = Vec::new();
    while !input.is_empty() && bytes.len() < 8192 {
        bytes.extend(peers_bytes(input, setup.role.peer())?);
    }
    let mut whole = setup.build();
    whole.hear(&bytes);
    whole.flush();
    for sizes in [&[1][..], &sizes] {
        let mut cut = setup.build();
        let (mut at, mut sizes) = (0, sizes.iter().cycle());
        while at < bytes.len() {
            let end = bytes.len().min(at + sizes.next().expect("a cycle of at least one"));
            cut.hear(&bytes[at..end]);
            at = end;
        }
        cut.flush();
        assert_eq!(cut.joined(), whole.joined());
        assert_eq!(cut.sent, whole.sent);
        let (cut, whole) = (&cut.connection, &whole.connection);
        assert_eq!((cut.state(), cut.close_info()), (whole.state(), whole.close_info()));
        assert_eq!(cut.is_inside_message(), whole.is_inside_message());
    }
    Ok(())
}
