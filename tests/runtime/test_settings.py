from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

import kuchipaku_runtime
from kuchipaku_runtime import ChannelSettings, ServiceSettings, service_config
from kuchipaku_runtime.address import Address


class GateSettings(ServiceSettings):
    model_config = service_config("gate")

    peers: ChannelSettings = ChannelSettings()


def test_variables_carry_the_services_prefix(monkeypatch):
    monkeypatch.setenv("KUCHIPAKU_GATE_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("KUCHIPAKU_GATE_PEERS__API_KEY", "key-of-the-gateway")
    monkeypatch.setenv("KUCHIPAKU_GATE_API_KEYS", "first-key-of-gate-1, second-key-of-gate")
    monkeypatch.setenv("KUCHIPAKU_OTHER_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("KUCHIPAKU_GATE_METRICS_ADDRESS", "")
    settings = GateSettings()

    assert settings.service_name() == "gate"
    assert settings.log_level == "DEBUG"
    assert settings.metrics_address is None
    assert settings.peers.api_key == SecretStr("key-of-the-gateway")
    assert [key.get_secret_value() for key in settings.api_keys] == [
        "first-key-of-gate-1",
        "second-key-of-gate",
    ]


def test_the_description_hides_secrets_and_is_json():
    settings = GateSettings(
        api_keys=(SecretStr("first-key-of-gate-1"),),
        peers=ChannelSettings(api_key=SecretStr("key-of-the-gateway")),
    )
    described = settings.describe()

    assert described["api_keys"] == ["**********"]
    assert described["peers"]["api_key"] == "**********"
    assert described["address"] == "127.0.0.1:50051"
    assert "key-of" not in repr(described) + repr(settings)


def test_every_setting_is_documented():
    rows = {row.variable: row for row in GateSettings.rows()}

    assert all(row.description for row in rows.values())
    assert rows["KUCHIPAKU_GATE_DRAIN_TIMEOUT_S"].default == "30.0"
    assert "KUCHIPAKU_GATE_PEERS__TLS_CA_FILE" in rows


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"address": "nowhere"},
        {"address": "1.2.3.4:99999"},
        {"metrics_address": "x"},
        {"api_keys": "short"},
        {"tls_certificate_file": "a"},
        {"tls_key_file": "a"},
        {"tls_client_ca_file": "a"},
        {"drain_timeout_s": -1},
        {"max_message_bytes": 0},
        {"log_format": "xml"},
        {"peers": {"tls_key_file": "a"}},
        {"peers": {"tls_ca_file": "a"}},
        {"peers": {"keepalive_time_s": 1}},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        GateSettings(**wrong)


def test_settings_cannot_change():
    with pytest.raises(ValidationError):
        GateSettings().log_level = "DEBUG"


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "192.168.1.2:1", "game.example:1"])
def test_beyond_this_machine_only_with_protection(address):
    with pytest.raises(ValidationError, match="refusing to listen"):
        GateSettings(address=address)
    assert GateSettings(address=address, insecure=True)
    assert GateSettings(address=address, api_keys=(SecretStr("a-key-of-some-length"),))
    assert GateSettings(address=address, tls_certificate_file=Path("a"), tls_key_file=Path("b"))


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "127.8.8.8:1", "localhost:1", "[::1]:1", "unix:/run/x.sock"]
)
def test_this_machine_needs_no_protection(address):
    assert str(Address.parse(GateSettings(address=address).address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        ":1",
        "host:",
        "host:x",
        "host:-1",
        "host:٣",
        "::1:5",
        "unix:",
        f"unix:{'x' * 108}",
    ],
)
def test_other_texts_are_no_addresses(text):
    with pytest.raises(ValueError, match=r"\S"):
        Address.parse(text)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text):
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert Address.parse(str(address)) == address


def test_both_forms_of_socket_addresses_are_one():
    assert Address.parse("unix:///run/x.sock") == Address.parse("unix:/run/x.sock")


@pytest.mark.parametrize("name", ["", "Pose", "pose service", "9"])
def test_service_names_are_plain(name):
    with pytest.raises(ValueError, match="service name"):
        service_config(name)


def test_the_package_offers_what_it_lists():
    assert all(getattr(kuchipaku_runtime, name) for name in kuchipaku_runtime.__all__)
    with pytest.raises(AttributeError):
        kuchipaku_runtime.nothing  # noqa: B018
