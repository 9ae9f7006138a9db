"""TLS, mutual TLS and API keys."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr

from kuchipaku_contract import InternalError, UnauthenticatedError
from kuchipaku_runtime import ChannelSettings, check_health, connect, serving
from kuchipaku_runtime.security import ApiKeys
from tests.runtime.probe import ProbeSettings, ProbeStub, build_with, first_error, probing, text

KEY = "correct-horse-battery"


def with_keys(*keys: str) -> ProbeSettings:
    return ProbeSettings(api_keys=tuple(SecretStr(key) for key in keys))


@dataclass(frozen=True)
class Certificates:
    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / name

    def settings(self, **more) -> ProbeSettings:
        return ProbeSettings(
            tls_certificate_file=self.file("server.crt"),
            tls_key_file=self.file("server.key"),
            **more,
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl program, which makes the test's certificates, is not installed")
    folder = tmp_path_factory.mktemp("tls")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    def request(name: str) -> tuple[str, ...]:
        return (
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key",
        )  # fmt: skip

    for authority in ("ca", "strangers"):
        run(*request(authority), "-x509", "-days", "2", "-out", f"{authority}.crt")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "strangers")):
        run(*request(name), "-out", f"{name}.csr")
        run(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", f"{name}.crt",
        )  # fmt: skip
    return Certificates(folder)


async def test_tls_serves_those_who_use_it(probe, certificates):
    channel = ChannelSettings(tls=True, tls_ca_file=certificates.file("ca.crt"))
    async with serving(certificates.settings(), build_with(probe)) as address:
        async with connect(address, channel) as peer:
            assert (await ProbeStub(peer.channel).unary(text("a"))).value == "a"
        assert (await check_health(address, channel)).healthy
        assert (await check_health(address)).status == "UNREACHABLE"


async def test_a_server_of_strangers_is_not_trusted(probe, certificates):
    channel = ChannelSettings(tls=True, tls_ca_file=certificates.file("strangers.crt"))
    async with probing(probe, certificates.settings(), channel) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.unary(text("a"))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("name", "served"), [("client", True), ("stranger", False), (None, False)])
async def test_mutual_tls_serves_known_clients_alone(probe, certificates, name, served):
    settings = certificates.settings(tls_client_ca_file=certificates.file("ca.crt"))
    own = {
        "tls_certificate_file": certificates.file(f"{name}.crt"),
        "tls_key_file": certificates.file(f"{name}.key"),
    }
    channel = ChannelSettings(
        tls=True, tls_ca_file=certificates.file("ca.crt"), **(own if name else {})
    )
    async with probing(probe, settings, channel) as stub:
        if served:
            assert (await stub.unary(text("a"))).value == "a"
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.unary(text("a"))
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "metadata",
    [("x-api-key", KEY), ("authorization", f"Bearer {KEY}"), ("authorization", f"bearer {KEY}")],
)
async def test_a_known_key_opens(probe, metadata):
    async with probing(probe, with_keys(KEY)) as stub:
        assert (await stub.unary(text("a"), metadata=(metadata,))).value == "a"
        (caller,) = [(await stub.unary(text("caller"), metadata=(metadata,))).value]
    assert len(caller) == 12
    assert caller not in KEY


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "API_KEY_MISSING"),
        ((("authorization", "Basic abc"),), "API_KEY_MISSING"),
        ((("x-api-key", ""),), "API_KEY_INVALID"),
        ((("x-api-key", KEY + "x"),), "API_KEY_INVALID"),
        ((("authorization", "Bearer"),), "API_KEY_MISSING"),
        ((("authorization", f"Bearer {KEY[:-1]}"),), "API_KEY_INVALID"),
    ],
)
async def test_without_a_known_key_no_call_is_served(probe, metadata, reason):
    async with probing(probe, with_keys(KEY)) as stub:
        for call in (
            stub.unary(text("a"), metadata=metadata),
            stub.chat(iter([text("a")]), metadata=metadata),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await (anext(aiter(call)) if hasattr(call, "__aiter__") else call)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
            details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
            assert reason.encode() in details
    assert not probe.entered.is_set()


async def test_health_needs_no_key_and_a_peer_sends_its_own(probe):
    settings = with_keys("other-key-of-someone", KEY)
    async with serving(settings, build_with(probe)) as address:
        assert (await check_health(address)).healthy
        async with connect(address, ChannelSettings(api_key=SecretStr(KEY))) as peer:
            assert (await ProbeStub(peer.channel).unary(text("a"), **peer.options())).value == "a"


async def test_a_peers_refusal_of_our_key_is_not_the_callers_fault(probe):
    async with probing(probe, with_keys(KEY)) as stub:
        error = await first_error(stub.unary(text("a")))

    assert type(error) is InternalError
    assert error.reason == "PEER_REFUSED"


def test_keys_come_from_a_file_too(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# game one\n{KEY}\n\n  second-key-of-the-file  \n")
    keys = ApiKeys.from_settings(ProbeSettings(api_keys_file=file))

    assert keys.authenticate([("x-api-key", KEY)])
    assert keys.authenticate([("x-api-key", "second-key-of-the-file")])
    with pytest.raises(UnauthenticatedError):
        keys.authenticate([("x-api-key", "# game one")])


def test_an_empty_key_file_does_not_open_the_door(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# none yet\n")
    with pytest.raises(ValueError, match="no API key"):
        ApiKeys.from_settings(ProbeSettings(api_keys_file=file))


def test_short_keys_in_a_file_are_refused_without_telling_them(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\nshort-key\n")
    with pytest.raises(ValueError, match="16 characters") as caught:
        ApiKeys.from_settings(ProbeSettings(api_keys_file=file))
    assert "short-key" not in str(caught.value)
