"""The page at `/`, in a real browser without the internet."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.support.local_cloud import LocalCloud, local_cloud

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver (scripts/test-tools.sh installs them)"
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud without machines and without limits."""
    with local_cloud(tmp_path_factory.mktemp("cloud") / "state", machines="none") as cloud:
        yield cloud


@pytest.fixture
def browser(cloud: LocalCloud, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser on the page."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        browser.get(cloud.url)
        yield browser
    finally:
        browser.quit()


def _launch(cloud: LocalCloud, name: str) -> None:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {cloud.api_key}"
    session.post(f"{cloud.url}/api/v1/ssh-keys", json={"name": name}, timeout=10).raise_for_status()
    body = {"region_name": "us-east-3", "instance_type_name": "gpu_1x_gh200", "ssh_key_names": [name], "name": name}
    session.post(f"{cloud.url}/api/v1/instance-operations/launch", json=body, timeout=10).raise_for_status()


def _wait_for_text(browser: webdriver.Chrome, element: str, text: str) -> None:
    WebDriverWait(browser, 30).until(lambda b: text in b.find_element(By.ID, element).text, f"{text} in {element}")


def _wait_for_tone(browser: webdriver.Chrome, name: str, tone: str) -> None:
    cell = f"//*[@id='instances']//tr[contains(., '{name}')]//td[contains(@class, '{tone}')]"
    WebDriverWait(browser, 30).until(lambda b: b.find_elements(By.XPATH, cell), f"{tone} for {name}")


def test_a_launch_appears_without_reloading(cloud: LocalCloud, browser: webdriver.Chrome) -> None:
    _launch(cloud, "<b>mine</b>")
    _wait_for_text(browser, "instances", "<b>mine</b>")
    _wait_for_text(browser, "requests", "POST /api/v1/instance-operations/launch")
    _wait_for_text(browser, "summary", "an hour")
    _wait_for_text(browser, "budget", "no rate limit")


def test_faults_are_set_and_cleared_with_the_buttons(cloud: LocalCloud, browser: webdriver.Chrome) -> None:
    _wait_for_text(browser, "fault", "launch")
    Select(browser.find_element(By.NAME, "operation")).select_by_visible_text("launch")
    Select(browser.find_element(By.NAME, "kind")).select_by_visible_text("quota-exceeded")
    browser.find_element(By.CSS_SELECTOR, "#fault button").click()
    _wait_for_text(browser, "faults", "launch: quota-exceeded, 1 more")
    assert requests.get(f"{cloud.url}/_localcloud/overview", timeout=10).json()["faults"][0]["kind"] == "quota-exceeded"
    browser.find_element(By.ID, "clear-faults").click()
    WebDriverWait(browser, 30).until(lambda b: b.find_element(By.ID, "faults").text == "")
    assert requests.get(f"{cloud.url}/_localcloud/overview", timeout=10).json()["faults"] == []


def test_a_status_is_forced_with_the_button(cloud: LocalCloud, browser: webdriver.Chrome) -> None:
    _launch(cloud, "forced")
    # The row is written anew whenever something of it changes, as when the boot ends.
    _wait_for_tone(browser, "forced", "good")
    select = browser.find_element(By.CSS_SELECTOR, "[aria-label='force a status on forced']")
    Select(select).select_by_visible_text("unhealthy")
    browser.find_element(By.CSS_SELECTOR, "[aria-label='set the status of forced']").click()
    _wait_for_tone(browser, "forced", "bad")
    assert browser.find_element(By.ID, "message").text == ""


def test_everything_comes_from_the_cloud_itself(cloud: LocalCloud, browser: webdriver.Chrome) -> None:
    _wait_for_text(browser, "summary", "an hour")
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert any(one.endswith("/page.js") for one in loaded)
    assert all(one.startswith(f"{cloud.url}/") for one in loaded if not one.startswith("data:"))
