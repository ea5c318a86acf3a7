"""The boot refuses wrong settings with name, fault and fix, and never repeats a secret."""

import pytest

from services.kit.environment import RETIRED, SettingsInvalid, load_settings

STRONG = {
    "CORNERMAN_MODE": "served",
    "CORNERMAN_SECRET": "s" * 40,
    "ADMIN_PASSWORD": "p" * 14,
    "PUBLIC_BASE_URL": "https://desk.example",
    "ALLOWED_HOSTS": "desk.example",
    "DATABASE_URL": "postgresql://app_rt@db/cornerman",
}


def faults_of(environ, env_file=None):
    with pytest.raises(SettingsInvalid) as invalid:
        load_settings(environ, env_file)
    return "\n".join(invalid.value.faults)


def test_no_settings_at_all_is_a_working_local_installation():
    settings = load_settings({})
    assert settings.cornerman_mode == "local"
    assert settings.runtime_database_url.endswith("/.cornerman/cornerman.db")
    assert "~" not in settings.runtime_database_url


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "99999", "PORT"),
        ("PORT", "eighty", "PORT"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL"),
        ("LIMIT_CHAT", "20 per minute", "20/minute"),
        ("LIMIT_CHAT", "0/minute", "LIMIT_CHAT"),
        ("OPENAI_BASE_URL", "file:///etc/passwd", "http or https"),
        ("HOST", "0.0.0.0", "loopback only"),
        ("REQUEST_BODY_LIMIT", "1e9", "REQUEST_BODY_LIMIT"),
        ("LIVE_TRADING", "true", "no live broker"),
        ("TRUST_PROXY", "perhaps", "TRUST_PROXY"),
    ],
)
def test_a_wrong_value_names_the_setting_and_the_fix(name, value, said):
    text = faults_of({name: value})
    assert said in text
    assert "Fix:" in text


@pytest.mark.parametrize("name", [*RETIRED, "SUPABASE_URL", "VITE_API_BASE"])
def test_retired_names_are_refused_with_the_new_name(name):
    text = faults_of({name: "x"})
    assert f"{name}: this name is retired" in text
    assert RETIRED.get(name, "use ") in text


def test_every_fault_is_told_at_once():
    text = faults_of({"PORT": "x", "LOG_LEVEL": "y", "CORS_ORIGINS": "z"})
    assert all(name in text for name in ("PORT", "LOG_LEVEL", "CORS_ORIGINS"))


def test_a_broken_env_file_is_told_by_line_and_name(tmp_path):
    path = tmp_path / ".env"
    path.write_text("PORT=8081\nnot a setting\nDATABSE_URL=sqlite://\n")
    text = faults_of({}, path)
    assert "line 2" in text
    assert "DATABSE_URL: unknown setting" in text


def test_the_environment_wins_over_the_file(tmp_path):
    path = tmp_path / ".env"
    path.write_text('PORT="8081"\nLOG_LEVEL=debug # loud\n')
    settings = load_settings({"PORT": "8082"}, path)
    assert (settings.port, settings.log_level) == (8082, "debug")


def test_secrets_come_from_files_and_are_never_repeated(tmp_path):
    secret = tmp_path / "key"
    secret.write_text("sk-very-secret-value\n")
    settings = load_settings({"OPENAI_API_KEY_FILE": str(secret)})
    assert settings.openai_api_key.get_secret_value() == "sk-very-secret-value"
    assert "very-secret" not in repr(settings)
    text = faults_of({"OPENAI_API_KEY": "sk-very-secret", "CHATDATA_API_KEY": "sk-also-secret"})
    assert "CHATDATA_API_KEY" in text
    assert "secret" not in text.replace("SECRET", "")


def test_served_mode_accepts_a_strong_configuration():
    assert load_settings(STRONG).cornerman_mode == "served"


@pytest.mark.fault("F124")
@pytest.mark.parametrize(
    ("name", "weak"),
    [
        ("CORNERMAN_SECRET", ""),
        ("CORNERMAN_SECRET", "short"),
        ("ADMIN_PASSWORD", "admin"),
        ("PUBLIC_BASE_URL", "http://desk.example"),
        ("PUBLIC_BASE_URL", ""),
        ("ALLOWED_HOSTS", ""),
        ("DATABASE_URL", ""),
        ("CORS_ALLOWLIST", "*"),
        ("CORS_ALLOWLIST", "http://a.example"),
        ("CORNERMAN_FAILPOINT", "x:exit"),
    ],
)
def test_served_mode_refuses_each_weakness(name, weak):
    assert name in faults_of({**STRONG, name: weak})
