"""Push addresses: what may be called, and the many that may not (PUSH-04)."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip.adapters.push.addresses import AddressRules, is_public
from hip.domain.errors import UnsafeUrl

RULES = AddressRules()

HOSTILE = [
    # not https
    "http://hiu.example.org/",
    "ftp://hiu.example.org/",
    "file:///etc/passwd",
    "gopher://hiu.example.org/",
    "javascript:alert(1)",
    "//hiu.example.org/",
    "hiu.example.org/push",
    "https:/hiu.example.org/",
    "https:hiu.example.org",
    "https:///push",
    "https://",
    "",
    "/push",
    "unix:///var/run/docker.sock",
    # user information and other confusions of the authority
    "https://user@hiu.example.org/",
    "https://user:secret@hiu.example.org/",
    "https://hiu.example.org@169.254.169.254/",
    "https://hiu.example.org%40169.254.169.254/",
    "https://hiu.example.org\\@169.254.169.254/",
    "https://169.254.169.254\\.hiu.example.org/",
    "https://hiu.example.org\t/",
    "https://hiu.example.org\r\nHost: inner/",
    " https://hiu.example.org/",
    "https://hiu.example.org/ ",
    "https://hiu.example.org/a b",
    "https://hiu.example.org/\x00",
    "https://hiu.example.org/#fragment",
    "https://hiu.example.org#@169.254.169.254/",
    "https://hiu.example.org/" + "a" * 2048,
    # ports
    "https://hiu.example.org:22/",
    "https://hiu.example.org:8443/",
    "https://hiu.example.org:80/",
    "https://hiu.example.org:0/",
    "https://hiu.example.org:/",
    "https://hiu.example.org:0443/",
    "https://hiu.example.org:65536/",
    "https://hiu.example.org:443:443/",
    "https://hiu.example.org:+443/",
    "https://hiu.example.org:\uff14\uff14\uff13/",
    # this machine, spelt in every way
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.0.0x0.1/",
    "https://127.0.0.1./",
    "https://127.000.000.001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://0x/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[::1%25lo]/",
    "https://[fe80::1%eth0]/",
    "https://[::1/",
    "https://::1/",
    "https://[127.0.0.1]/",
    "https://[v1.x]/",
    "https://127.0.0.1%00.hiu.example.org/",
    "https://\u0661\u0662\u0667.0.0.1/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://lo\u0441alhost/",
    "https://\u24df.example.org/",
    # inner networks
    "https://10.0.0.1/",
    "https://172.16.5.4/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.127.255.255/",
    "https://169.254.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    "https://198.51.100.7/",
    "https://203.0.113.9/",
    "https://224.0.0.1/",
    "https://239.255.255.255/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://167772161/",
    "https://0xa000001/",
    "https://012.0.0.1/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[64:ff9b::a00:1]/",
    # metadata services and names of inner networks
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://metadata/",
    "https://metadata.google.internal/",
    "https://instance-data.ec2.internal/",
    "https://printer.local/",
    "https://router.lan/",
    "https://intranet/",
    "https://hip/",
    "https://1.0.0.10.in-addr.arpa/",
    # malformed names
    "https://hiu..example.org/",
    "https://.example.org/",
    "https://hiu.example.org./",
    "https://-hiu.example.org/",
    "https://hiu-.example.org/",
    "https://" + "a" * 64 + ".example.org/",
    "https://" + "a." * 130 + "org/",
    "https://hiu.example.1/",
    "https://hiu.example.0x1/",
    "https://hiu*.example.org/",
    "https://hiu.example.org,169.254.169.254/",
]

GOOD = [
    "https://hiu.example.org/v3/transfer/",
    "https://hiu.example.org",
    "https://hiu.example.org?x=1",
    "https://hiu.example.org:443/push",
    "HTTPS://HIU.Example.ORG/Push",
    "https://hiu.example.org/a%2Fb/../c//?q=a@b&r=%20;x",
    "https://hiu_1.example.org/",
    "https://xn--r8jz45g.example.org/",
    "https://8.8.8.8/push",
    "https://[2606:4700::1111]/push",
    "https://1.example.org/",
    "https://127.0.0.1.example.org/",
]


def test_the_hostile_table_is_long_enough() -> None:
    assert len(HOSTILE) == len(set(HOSTILE))
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_address_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(UnsafeUrl) as refusal:
        RULES.check(url)
    assert len(url) < 4 or url not in str(refusal.value)
    assert refusal.value.code == "ABDM-1006"


@pytest.mark.parametrize("url", HOSTILE)
def test_the_sandbox_refuses_all_but_loopback_too(url: str) -> None:
    sandbox = AddressRules(allow_loopback_http=True)
    try:
        target = sandbox.check(url)
    except UnsafeUrl:
        return
    assert target.loopback
    assert target.host in {"localhost", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"}


@pytest.mark.parametrize("url", GOOD)
def test_a_public_https_address_is_let_pass(url: str) -> None:
    assert RULES.check(url).port == 443


@pytest.mark.parametrize(
    ("url", "request_line"),
    [
        ("https://hiu.example.org/v3/transfer/", "/v3/transfer/"),
        ("https://hiu.example.org", "/"),
        ("https://hiu.example.org?x=1", "/?x=1"),
        ("https://hiu.example.org/a%2Fb/../c//?q=%7E~", "/a%2Fb/../c//?q=%7E~"),
    ],
)
def test_path_and_query_are_kept_verbatim(url: str, request_line: str) -> None:
    assert RULES.check(url).request == request_line


@pytest.mark.parametrize("port", [8443, 9443])
def test_other_ports_can_be_allowed(port: int) -> None:
    url = f"https://hiu.example.org:{port}/"
    assert AddressRules(ports=frozenset({443, port})).check(url).port == port


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8091/push", "http://localhost:8091/", "http://[::1]:8091/", "https://localhost:8443/"],
)
def test_loopback_may_be_called_over_http_and_on_any_port_in_the_sandbox_alone(url: str) -> None:
    assert AddressRules(allow_loopback_http=True).check(url).loopback
    with pytest.raises(UnsafeUrl):
        RULES.check(url)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://hiu.example.org/", "http://127.1/", "http://localhost./"])
def test_http_to_anywhere_else_is_refused_in_the_sandbox_too(url: str) -> None:
    with pytest.raises(UnsafeUrl):
        AddressRules(allow_loopback_http=True).check(url)


def test_a_trusted_host_passes_and_others_that_look_like_it_do_not() -> None:
    rules = AddressRules(trusted_hosts=frozenset({"hiu.sandbox"}))
    assert rules.check("http://hiu.sandbox/push").port == 80
    for url in ("http://hiu.sandbox.evil.example/", "http://x.hiu.sandbox/", "http://user@hiu.sandbox/"):
        with pytest.raises(UnsafeUrl):
            rules.check(url)


PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
        ["2606:4700::1111", "fe80::1%eth0"],
        ["::ffff:8.8.8.8"],
        ["169.254.169.254"],
        ["100.64.1.1"],
        ["0.0.0.0"],
        ["fd00:ec2::254"],
        ["64:ff9b::808:808"],
        ["224.0.0.251"],
        ["nonsense"],
    ],
)
def test_one_bad_answer_refuses_the_name(answers: list[str]) -> None:
    for rules in (RULES, AddressRules(allow_loopback_http=True)):
        with pytest.raises(UnsafeUrl):
            rules.check_answers("hiu.example.org", answers)


def test_good_answers_are_kept_in_order_and_once() -> None:
    answers = RULES.check_answers("hiu.example.org", [PUBLIC, "2606:4700::1111", PUBLIC])
    assert [str(address) for address in answers] == [PUBLIC, "2606:4700::1111"]


def test_localhost_must_mean_this_machine() -> None:
    sandbox = AddressRules(allow_loopback_http=True)
    assert sandbox.check_answers("localhost", ["127.0.0.1", "::1"])
    assert sandbox.check_answers("127.0.0.1", ["127.0.0.1"])
    with pytest.raises(UnsafeUrl):
        sandbox.check_answers("localhost", ["10.0.0.1"])
    with pytest.raises(UnsafeUrl):
        sandbox.check_answers("localhost", [PUBLIC])


@given(number=st.integers(0, 2**32 - 1))
def test_no_number_is_ever_a_host(number: int) -> None:
    for spelling in (str(number), hex(number), f"0{number:o}"):
        with pytest.raises(UnsafeUrl):
            AddressRules(allow_loopback_http=True).check(f"https://{spelling}/")


@given(address=st.ip_addresses())
def test_what_python_knows_to_be_private_is_never_public(address: object) -> None:
    known = ip_address(str(address))
    if known.is_private or known.is_multicast or known.is_reserved or known.is_loopback or known.is_link_local:
        assert not is_public(known)


@given(text=st.text(max_size=60))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://hiu.example.org/{text}"):
        try:
            RULES.check(url)
        except UnsafeUrl as refusal:
            assert str(refusal)  # noqa: PT017
