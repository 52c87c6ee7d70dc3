"""What the URL of a Redis store says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.store._redis_url import RedisUrl


def test_host_alone_is_enough() -> None:
    """Port, database and prefix have their usual values."""
    assert RedisUrl((("db", 6379),)) == RedisUrl.parse("redis://db")


def test_every_part_is_read() -> None:
    """TLS, login, port, database, prefix and certificates come from their places in the URL."""
    url = "rediss://me:p%40ss%2F@[::1]:6380/7?prefix=a.b&ssl_ca_certs=/etc/ca.pem"

    expected = RedisUrl(
        (("::1", 6380),),
        tls=True,
        username="me",
        password="p@ss/",
        ca_file=Path("/etc/ca.pem"),
        database=7,
        prefix="a.b",
    )
    assert expected == RedisUrl.parse(url)


def test_sentinels_know_a_service() -> None:
    """Several sentinels, the name of the service and the database are told apart."""
    url = RedisUrl.parse("redis+sentinel://:secret@s1,s2:5000/primary/2?password_file=")

    assert ((("s1", 26379), ("s2", 5000)), "primary", 2) == (url.hosts, url.service, url.database)
    assert "primary of the sentinels s1:26379, s2:5000" == url.name


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://", "a host is a name"),
        ("redis://h:0", "port from 1 to 65535"),
        ("redis://h:99999", "port from 1 to 65535"),
        ("redis://h o st", "a host is a name"),
        ("redis://[::1", "its host cannot be read"),
        ("redis://a,b", "several hosts are for sentinels"),
        ("redis://h/x", "a database is a number"),
        ("redis://h/1/2", "a database is a number"),
        ("redis+sentinel://h", "the name of the service is missing"),
        ("redis+sentinel://h/s/1/2", "a database is a number"),
        ("redis://h#x", "a # in a password is written %23"),
        ("redis://h?pool=3", "its options are"),
        ("redis://h?prefix=", "a prefix is"),
        ("redis://h?prefix={a}", "a prefix is"),
        ("redis://h?prefix=a&prefix=b", "each option is given once"),
        ("redis://:secret@h?password_file=/f", "a password or a password_file"),
        ("valkey://h", "not valkey:"),
    ],
)
def test_wrong_urls_are_refused(url: str, why: str) -> None:
    """A URL that cannot be is refused with the reason, and without its password."""
    with pytest.raises(ValueError, match=r"^must be redis://host:6379/0") as refused:
        RedisUrl.parse(url)

    assert why in str(refused.value)
    assert "secret" not in str(refused.value)
