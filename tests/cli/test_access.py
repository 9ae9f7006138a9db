"""API keys and TLS of the gateway that the command line connects to."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from kuchipaku.cli.main import main
from kuchipaku_gateway.service import build
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_runtime import serving

KEY = "correct-horse-battery"


async def _list(*options: str, **environment: str) -> Result:
    runner = CliRunner(env=environment)
    command = ["characters", "list", *options]
    return await asyncio.to_thread(runner.invoke, main, command)


async def test_the_api_key_comes_from_an_option_or_the_environment(tmp_path: Path) -> None:
    settings = GatewaySettings(
        address=f"unix:{tmp_path}/gateway.sock",
        store_url="memory://access-test",
        api_keys=(SecretStr(KEY),),
    )
    async with serving(settings, build) as address:
        refused = await _list("--gateway", address)
        assert refused.exit_code == 1
        assert "UNAUTHENTICATED" in refused.output
        assert (await _list("--gateway", address, "--api-key", KEY)).exit_code == 0
        known = {"KUCHIPAKU_GATEWAY": address, "KUCHIPAKU_API_KEY": KEY}
        assert (await _list(**known)).exit_code == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate that vouches for itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl program, which makes the test's certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    command = [
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "server.key", "-out", "server.crt",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


async def test_a_gateway_with_tls_is_reached_by_its_authority(certificate: Path) -> None:
    settings = GatewaySettings(
        address="127.0.0.1:0",
        store_url="memory://access-test",
        tls_certificate_file=certificate / "server.crt",
        tls_key_file=certificate / "server.key",
    )
    async with serving(settings, build) as address:
        authority = str(certificate / "server.crt")
        reached = await _list("--gateway", address, "--tls-ca", authority)
        assert reached.exit_code == 0, reached.output
        assert (await _list("--gateway", address)).exit_code == 1
