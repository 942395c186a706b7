//! What each outcome is worth, in decibans for the named sender: written by `rstscope fit`, edited by
//! hand only in the columns hand-set, source and why (a new row begins with its hand-set weight as used).

use super::{Source, Weight};
use crate::vocabulary::Clue;

/// Where the fitted weights come from: date, command, captures; "" if nothing was fitted.
pub const FIT: &str = "2026-11-23, interim, seeds 101-104 and 201-203; looseness 0; 4632 resets of 101.pcap, 102.pcap, 103.pcap, 104.pcap, 201.pcap, 202.pcap, 203.pcap";

rows! {
    // row                     name                             clue         hand-set source    used   for against why
    Prior                      "prior"                          Prior            13.0 Judged     13.0     0       0 "95 % of resets come from whom they name (classification.md, 5.2); never fitted";
    PriorLonely                "prior_lonely"                   Prior             6.0 Judged      6.0     0       0 "80 %, nothing to compare with; never fitted";
    HopsEqual                  "hops_equal"                     Hops              5.0 Counted     5.0  2763      23 "748 of 751 first resets in captures came from as far as the sender's packets";
    HopsEqualOtherInitialReply "hops_equal_other_initial_reply" Hops              0.0 Counted     0.0    21       0 "kernels reply with their default hop limit, sockets may have their own";
    HopsEqualOtherInitial      "hops_equal_other_initial"       Hops             -3.0 Judged     -3.0     0       2 "a socket resets with the hop limit it has always used";
    HopsOnLink                 "hops_on_link"                   Hops            -26.0 Counted   -26.0     0     232 "no router passed: whoever sent it is on this link, the sender is not";
    HopsOnLinkFew              "hops_on_link_few"               Hops            -20.0 Judged    -20.0     0      10 "the same, against a single packet that may have come by another path";
    HopsOneOff                 "hops_one_off"                   Hops             -6.0 Judged     -6.0   213      42 "paths flap by one hop";
    HopsOneOffWeak             "hops_one_off_weak"              Hops             -2.0 Judged     -2.0     0       1 "the same, with little to compare with";
    HopsDiffer                 "hops_differ"                    Hops            -20.0 Counted   -20.0     0     140 "12 of 1,456 resets in captures, all of third parties or front ends";
    HopsDifferFair             "hops_differ_fair"               Hops            -12.0 Judged    -12.0     0      70 "the same, against few packets";
    HopsDifferWeak             "hops_differ_weak"               Hops             -8.0 Judged     -8.0     0       0 "scanners and spoofed sources vary the hop limit of packets without data";
    IpIdCopiedReply            "ip_id_copied_reply"             IpId             -6.0 Judged     -6.0     0       0 "old BSD stacks build a reply in the buffer of the packet it answers";
    IpIdCopied                 "ip_id_copied"                   IpId            -15.0 Judged    -15.0     0      11 "injectors build the reset from the packet they saw";
    IpIdContinues              "ip_id_continues"                IpId             12.0 Counted    12.0   510       0 "53 of 53 Linux aborts and 143 of 209 Windows ones continue the counter";
    IpIdContinuesSwapped       "ip_id_continues_swapped"        IpId             10.0 Judged     10.0     0       0 "the same, by stacks that count in little-endian order";
    IpIdReplyZero              "ip_id_reply_zero"               IpId              2.0 Counted     2.0   505      80 "Linux and Apple reply with 0, and so do packet filters";
    IpIdReplyNotZero           "ip_id_reply_not_zero"           IpId             -2.0 Counted    -2.0     0      73 "16 to 28 % of genuine replies have another";
    IpIdBreaks                 "ip_id_breaks"                   IpId            -15.0 Counted   -15.0     0      75 "53 of 53 Linux aborts continue the counter";
    IpIdZeroThroughout         "ip_id_zero_throughout"          IpId              2.0 Judged      2.0     6       3 "some stacks never count";
    FlowLabelNoneByServer      "flow_label_none_by_server"      IpId            -26.0 Counted   -26.0     0      49 "0 of 1,703 kernel resets had no label where the host sets labels, 179 of 179 of nft";
    FlowLabelByServer          "flow_label_by_server"           IpId              6.0 Judged      6.0   255       0 "packet filters write no label";
    FlowLabelOfStranger        "flow_label_of_stranger"         IpId              3.0 Counted     3.0   306       0 "179 of 179 refusals of nft had none; the server was not seen before";
    FlowLabelNoneLinux         "flow_label_none_linux"          IpId            -20.0 Counted   -20.0     0     179 "0 of 1,703 resets of Linux had no label, 179 of 179 of nft";
    FlowLabelNone              "flow_label_none"                IpId             -4.0 Judged     -4.0     0       0 "other stacks may leave it out";
    FlowLabelSame              "flow_label_same"                IpId              8.0 Judged      8.0  1032       0 "filters do not know the label, injectors may copy it";
    FlowLabelOther             "flow_label_other"               IpId            -10.0 Judged    -10.0     0       0 "a socket keeps its label unless it retransmits";
    TimestampsOnReply          "timestamps_on_reply"            Timestamps       -6.0 Judged     -6.0     0       0 "replies bear no options (tcp_v4_send_reset)";
    TimestampsFresh            "timestamps_fresh"               Timestamps       18.0 Counted    18.0  1422       0 "31 of 31 Linux aborts; a forger has to know the clock";
    TimestampsOff              "timestamps_off"                 Timestamps      -20.0 Judged    -20.0     0       0 "the clock of the sender cannot have gained that much";
    TimestampsFarAhead         "timestamps_far_ahead"           Timestamps        0.0 Judged      0.0     0       0 "clocks of up to 1 MHz exist";
    TimestampsAbsentLinux      "timestamps_absent_linux"        Timestamps      -20.0 Counted   -20.0     0     138 "0 of 31 Linux aborts left them out";
    WindowCopied               "window_copied"                  Window          -12.0 Judged    -12.0     0      27 "injectors copy the header they saw";
    WindowInReply              "window_in_reply"                Window          -10.0 Counted   -10.0     0     145 "16 of 415 bare resets had a window";
    WindowZeroLinux            "window_zero_linux"              Window          -12.0 Counted   -12.0     0      60 "53 of 53 Linux aborts had a window";
    WindowNotZeroWindows       "window_not_zero_windows"        Window          -10.0 Counted   -10.0     0       0 "207 of 209 Windows aborts had none";
    WindowZeroApple            "window_zero_apple"              Window           -6.0 Counted    -6.0     0       0 "13 of 13 Apple aborts had a window";
    DscpLowDelay               "dscp_low_delay"                 Dscp            -12.0 Judged    -12.0     0      51 "pf and ipfw write it";
    DscpNotReflected           "dscp_not_reflected"             Dscp             -4.0 Judged     -4.0     0       0 "Linux reflects the class of what it answers (tcp_v4_send_reset)";
    DscpReflected              "dscp_reflected"                 Dscp              3.0 Judged      3.0     0       0 "packet filters write 0";
    DscpReflectedRefusal       "dscp_reflected_refusal"         Dscp              3.0 Judged      3.0     0       0 "packet filters write 0; the server was not seen before";
    DfClearedLinux             "df_cleared_linux"               DontFragment     -8.0 Judged     -8.0     0      25 "Linux sets DF on every reset";
    DfCleared                  "df_cleared"                     DontFragment     -4.0 Judged     -4.0     0       0 "hosts that discover path MTUs set it on every packet";
    ProfileSuricata            "profile_suricata"               Profile         -14.0 Judged    -14.0     0      14 "respond-reject-libnet11.c";
    ProfileSnort               "profile_snort"                  Profile         -14.0 Judged    -14.0     0       7 "Snort 3, active response";
    NumbersRefusalExact        "numbers_refusal_exact"          Numbers           4.0 Counted     4.0   961      77 "easy to write for whoever saw the SYN";
    NumbersRefusalLess         "numbers_refusal_less"           Numbers         -12.0 Judged    -12.0     0      11 "forgets that the SYN counts";
    NumbersRefusalMore         "numbers_refusal_more"           Numbers         -20.0 Judged    -20.0     0       0 "no stack acknowledges what it did not get";
    NumbersReplyAnswers        "numbers_reply_answers"          Numbers           4.0 Counted     4.0  1612     155 "416 of 446 bare resets of Linux, Apple and Windows";
    NumbersReplyNext           "numbers_reply_next"             Numbers           2.0 Judged      2.0    12      10 "some stacks reset at their next number";
    NumbersReplyOlder          "numbers_reply_older"            Numbers           2.0 Judged      2.0     0       0 "each segment in flight draws a reset";
    NumbersBeyond              "numbers_beyond"                 Numbers         -15.0 Judged    -15.0     9     129 "the sender has never sent so far";
    NumbersBeyondLittle        "numbers_beyond_little"          Numbers          -6.0 Judged     -6.0     0       0 "a last record may have passed unseen";
    NumbersAckLess             "numbers_ack_less"               Numbers         -12.0 Judged    -12.0     0       0 "forgets that the SYN counts";
    NumbersAckUnseen           "numbers_ack_unseen"             Numbers          -3.0 Judged     -3.0     0       0 "a window's worth may have passed unseen";
    NumbersAckFar              "numbers_ack_far"                Numbers         -20.0 Judged    -20.0     0       0 "no stack acknowledges what it did not get";
    NumbersExact               "numbers_exact"                  Numbers           4.0 Counted     4.0  1515     131 "199 of 209 Windows aborts, 48 of 53 of Linux";
    NumbersBehind              "numbers_behind"                 Numbers         -15.0 Judged    -15.0     3       7 "sockets reset at their next number";
    CausalityProved            "causality_proved"               Causality       -30.0 Counted   -30.0     0     160 "4 of 479 resets in captures, all of one firewall; nothing else below 0.64 round trips";
    CausalityOneSample         "causality_one_sample"           Causality       -26.0 Judged    -26.0     0       6 "one sample may be long, but not seven times too long";
    CausalityLenient           "causality_lenient"              Causality       -18.0 Judged    -18.0     0       0 "the number may have been known without the packet";
    CausalitySooner            "causality_sooner"               Causality       -12.0 Judged    -12.0     0       3 "delayed acknowledgments and full queues make samples too long";
    CausalityRoundTrip         "causality_round_trip"           Causality         3.0 Judged      3.0  1579      79 "a device far behind the sensor takes as long";
    AliveSameLine              "alive_same_line"                AliveAfter       -4.0 Judged     -4.0     0       0 "one IP-ID counter and one hop limit: two stacks in one machine";
    AliveAfterAnswer           "alive_after_answer"             AliveAfter        0.0 Judged      0.0     0       0 "answering a stray ACK ends nothing";
    AliveOneWay                "alive_one_way"                  AliveAfter        0.0 Judged      0.0     0       0 "may be a new connection";
    AliveAfterBait             "alive_after_bait"               AliveAfter        0.0 Judged      0.0     0       0 "nobody was to obey that reset";
    AliveSameCard              "alive_same_card"                AliveAfter       20.0 Judged     20.0     0       0 "the same network card sent both";
    AliveAfter                 "alive_after"                    AliveAfter      -30.0 Judged    -30.0     0     157 "whoever has reset a connection does not go on with it";
    AliveSilence               "alive_silence"                  AliveAfter        6.0 Judged      6.0    27       0 "the sender is gone, as it said";
    TrainWindowSteps           "train_window_steps"             Train           -26.0 Judged    -26.0     0      33 "no stack does that (GFW, 2025)";
    TrainBeyondSeveral         "train_beyond_several"           Train           -25.0 Judged    -25.0     0     106 "Weaver, Sommer, Paxson (NDSS 2009)";
    TrainBeyondOne             "train_beyond_one"               Train           -12.0 Judged    -12.0     1      15 "the same, once";
    TrainRepeats               "train_repeats"                  Train            -8.0 Judged     -8.0     0       0 "hosts reset once";
    SignatureMissing           "signature_missing"              Signature       -20.0 Judged    -20.0     0       0 "the receiver would drop it (RFC 2385, RFC 5925)";
    ChecksumOfData             "checksum_of_data"               Signature       -60.0 Judged    -60.0     0       0 "a genuine data segment with its RST bit set must outweigh its genuine headers";
    ChecksumWrongAlive         "checksum_wrong_alive"           Signature       -20.0 Judged    -20.0     0       0 "nobody obeyed it";
    ChecksumWrong              "checksum_wrong"                 Signature         0.0 Judged      0.0     0       0 "captures on the sending host show checksums before the card fills them in";
    SignatureUnexpected        "signature_unexpected"           Signature         0.0 Judged      0.0     0       0 "bait for sensors, perhaps";
    PortOtherFibre             "port_other_fibre"               Port            -40.0 Judged    -40.0     0       0 "each direction has its own fibre";
    MacOther                   "mac_other"                      Port            -10.0 Judged    -10.0     0       0 "routers may change";
    HostMoved                  "host_moved"                     HostBaseline     20.0 Judged     20.0     0       0 "the address answers from another machine since: as much as the hop distance weighs against one that stayed";
    OppositeUnprovoked         "opposite_unprovoked"            Opposite        -12.0 Judged    -12.0     0      64 "beside a foreign header: a device resets both ends";
    OppositeAlone              "opposite_alone"                 Opposite          0.0 Judged      0.0     0       0 "crossing aborts occur in 37 of 883 flows";
}
