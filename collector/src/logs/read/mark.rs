//! Where a mark may stand by which a product is known: never in text that strangers wrote.

use std::ops::Range;

use super::preamble::Preamble;

/// A line without structured data and without what follows the first quote.
///
/// Most of what a client sends, as its `User-Agent`, a server's log holds between quotes: a firewall's record there
/// is nobody's record. Neither is one behind anything but a header ([`Preamble`]).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain<'l> {
    /// The header of RFC 5424 up to its structured data; "" for other lines.
    head: &'l str,
    /// The message up to its first quote, that one included.
    message: &'l str,
    message_at: usize,
}

impl<'l> Plain<'l> {
    /// Leaves out what may be strangers'.
    pub(crate) fn of(line: &'l str) -> Self {
        let data = structured_data(line).unwrap_or(0..0);
        let message = &line[data.end..];
        let end = message.find('"').map_or(message.len(), |quote| quote + 1);
        Self { head: &line[..data.start], message: &message[..end], message_at: data.end }
    }

    /// Where in the line `find` finds its mark, if only a header stands before it.
    pub(crate) fn find(&self, find: impl Fn(&str) -> Option<usize>) -> Option<usize> {
        find(self.head).or_else(|| self.in_message(find, |_| true))
    }

    /// The same for formats of our own, which nobody writes behind a mere stamp or name: there a log of a server's
    /// own making may have a word of the client's.
    pub(crate) fn find_ours(&self, find: impl Fn(&str) -> Option<usize>) -> Option<usize> {
        self.in_message(find, |before| before == Preamble::Closed)
    }

    fn in_message(
        &self,
        find: impl Fn(&str) -> Option<usize>,
        is_fit: impl Fn(Preamble) -> bool,
    ) -> Option<usize> {
        let at = find(self.message)?;
        let before = Preamble::of(self.message.get(..at)?)?;
        is_fit(before).then_some(self.message_at + at)
    }
}

/// Where the structured data of a line stand, if it has an RFC 5424 header that is whole.
fn structured_data(line: &str) -> Option<Range<usize>> {
    let (priority, rest) = line.strip_prefix('<')?.split_once('>')?;
    let is_number = !priority.is_empty() && priority.bytes().all(|byte| byte.is_ascii_digit());
    let mut rest = rest.strip_prefix("1 ").filter(|_| is_number)?;
    for _ in 0..HEADER_FIELDS {
        rest = rest.split_once(' ')?.1;
    }
    let begins = line.len() - rest.len();
    if rest.starts_with('-') {
        return Some(begins..begins + 1);
    }
    let (mut is_inside, mut is_quoted, mut is_escaped) = (false, false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' if is_inside => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b']' if is_inside => is_inside = false,
            _ if is_inside => {}
            b'[' => is_inside = true,
            _ => return (at > 0).then_some(begins..begins + at),
        }
    }
    (!is_inside).then_some(begins..line.len())
}

/// Stamp, host, program, process, kind of message.
const HEADER_FIELDS: usize = 5;

#[cfg(test)]
mod tests {
    use events::UtcTime;

    use super::super::stamp::Zone;
    use super::super::{Context, Reader};
    use super::Plain;
    use crate::logs::session::{Garbage, Product, Reading};

    /// A record of each product that a client might send as its name.
    const FORGED: [&str; 8] = [
        "1,2023/11/14 22:13:24,1,TRAFFIC,end,1,2023/11/14 22:13:20,10.1.2.3,203.0.113.9,0.0.0.0,0.0.0.0,web,,,ssl,v,u,t,\
         i,o,f,x,7,1,40000,443,0,0,0x0,tcp,allow,1,1,1,1,2023/11/14 22:13:00,20,any,0,1,0x0,DE,DE,0,1,1,policy-deny",
        "%ASA-6-302014: Teardown TCP connection 9 for outside:203.0.113.9/443 to inside:10.1.2.3/40000 duration \
         0:00:20 bytes 1 TCP Reset-O",
        "RT_FLOW_SESSION_CLOSE [j reason=TCP source-address=10.1.2.3 source-port=40000 \
         destination-address=203.0.113.9 destination-port=443 protocol-id=6 ]",
        "rstscope_haproxy ci=10.1.2.3 cp=40000 fi=203.0.113.9 fp=443 ts=SD t0=1700000000 tt=7",
        "haproxy[7]: 10.1.2.3:40000 [14/Nov/2023:22:13:20.443] fnt bck/srv1 0/0/5007 212 SD 0/0/0/0/3 0/0",
        "rstscope_nginx client=10.1.2.3 client_port=40000 server=203.0.113.9 server_port=443 status=499 pid=1 \
         connection=4 msec=1700000005.127 request_time=3.100",
        "logid=1 type=traffic proto=6 action=deny srcip=10.1.2.3 srcport=40000 dstip=203.0.113.9 dstport=443 \
         eventtime=1700000000",
        "[2023-11-14T22:13:20.443Z] \"GET / HTTP/1.1\" 503 UC x - \"-\" 0 95 3100 - \"-\" \"c\" \"id\" \"a:9080\" \
         \"203.0.113.9:443\" x 10.2.0.7:5 203.0.113.9:443 10.1.2.3:40000 x default",
    ];

    fn reading(line: &str) -> Result<Reading, Garbage> {
        let context = Context { received: UtcTime(0), zone: Zone { east_s: 0 }, source: "peer" };
        Reader::new().read(line.as_bytes(), &context)
    }

    fn product(line: &str) -> Option<Product> {
        reading(line).ok().and_then(|reading: Reading| reading.product())
    }

    #[test]
    fn a_client_that_names_itself_as_a_record_forges_none() {
        for forged in FORGED {
            assert!(product(forged).is_some(), "by itself it is one: {forged}");
            for access in [
                "<190>Nov 14 22:13:20 web-1 nginx: 10.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /?a=b HTTP/1.1\" 200 \
                 612 \"-\" \"UA\"",
                "10.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"Mozilla UA x\"",
                "<14>1 2023-11-14T22:13:20Z web-1 app - - [x@1 agent=\"UA\"] served",
                "<14>1 2023-11-14T22:13:20Z web-1 app - - - level=info agent=\"UA\"",
                // Names of users stand without quotes, and so do many words of other programs.
                "<190>Nov 14 22:13:20 web-1 nginx: 10.0.0.1 - UA [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200 6",
                "10.0.0.1 - UA [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"curl\"",
                "10.0.0.1 UA",
                "<38>Nov 14 22:13:20 host sshd[7]: Invalid user UA from 10.1.2.3 port 40000",
                "<14>1 2023-11-14T22:13:20Z host sshd 7 - - Invalid user UA from 10.1.2.3 port 40000",
                "<134>Nov 14 22:13:25 lb-1 haproxy[7]: Connect from 10.1.2.3:40000 to UA (web/TCP)",
            ] {
                let escaped = forged.replace('"', "\\\"");
                let line = access.replace("UA", &escaped);
                assert_eq!(product(&line), None, "{line}");
            }
        }
    }

    #[test]
    fn captured_headers_of_a_proxy_are_the_proxys_line() {
        for forged in FORGED {
            let line = format!(
                "<134>Nov 14 22:13:25 lb-1 haproxy[7]: 10.0.1.2:33317 [14/Nov/2023:22:13:20.443] http-in static/srv1 \
                 10/0/30/-1/109 502 2750 - - SH-- 1/1/1/1/0 0/0 {{{forged}}} \"GET / HTTP/1.1\""
            );
            assert_eq!(product(&line), Some(Product::Haproxy), "{line}");
            let Ok(Reading::Session(session)) = reading(&line) else { panic!("{line}") };
            assert_eq!((session.tuples[0].client.port, session.said.as_str()), (33317, "SH--"));
        }
    }

    #[test]
    fn a_record_behind_structured_data_is_read() {
        for (forged, data) in FORGED.iter().zip(["-", "[a b=\"\\\"]\"][c]"].iter().cycle()) {
            let line = format!("<14>1 2023-11-14T22:13:20Z host app 7 - {data} {forged}");
            assert!(product(&line).is_some(), "{line}");
        }
        for broken in
            ["<14>1 a b c d e", "<14>1 a b c d e [x", "<14>1 a b c d e [x y=\"", "<>1 ", "<"]
        {
            assert_eq!(Plain::of(broken).find(|text| text.find('%')), None);
        }
    }
}
