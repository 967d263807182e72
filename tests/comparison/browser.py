"""A real headless Chromium, spoken to through chromedriver in plain W3C WebDriver."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 20.0
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
ARGUMENTS = ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
             '--disable-background-networking', '--disable-component-update', '--disable-extensions', '--disable-sync')


class Browser:
    """One window; `close` ends the browser and its driver."""

    def __init__(self, driver: str, profile: Path) -> None:
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        self._process = subprocess.Popen([driver, f'--port={port}'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._address, self._session = f'http://127.0.0.1:{port}', ''
        options = {'goog:chromeOptions': {'args': [*ARGUMENTS, f'--user-data-dir={profile}', '--window-size=1280,1600']},
                   'goog:loggingPrefs': {'browser': 'ALL', 'performance': 'ALL'}}
        try:
            self._wait_for_driver()
            opened = self._ask('POST', '/session', {'capabilities': {'alwaysMatch': options}})
        except BaseException:
            self._end_driver()
            raise
        self._session = f'/session/{opened["sessionId"]}'

    def _wait_for_driver(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._ask('GET', '/status')
                return
            except urllib.error.URLError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, {'Content-Type': 'application/json'}, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
                return json.load(answer)['value']
        except urllib.error.HTTPError as error:
            raise AssertionError(f'{method} {path}: {json.load(error)["value"]["message"]}') from None

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self._ask('POST', f'{self._session}/url', {'url': page.as_uri()})

    def view(self, width: int, height: int) -> None:
        """Show the page in a window of this many pixels."""
        sizes = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False}
        self._ask('POST', f'{self._session}/goog/cdp/execute', {'cmd': 'Emulation.setDeviceMetricsOverride', 'params': sizes})

    def run(self, script: str, *arguments: Any) -> Any:
        """What `script`, the body of a function of `arguments`, returns."""
        return self._ask('POST', f'{self._session}/execute/sync', {'script': script, 'args': list(arguments)})

    def wait(self, script: str, *arguments: Any) -> Any:
        """What `script` returns as soon as that is true in a condition."""
        until = time.monotonic() + PATIENCE
        while not (found := self.run(script, *arguments)):
            if time.monotonic() > until:
                raise AssertionError(f'never true: {script}')
            time.sleep(0.01)
        return found

    def find(self, selector: str) -> str:
        """The WebDriver id of the first element of a CSS selector."""
        return self._ask('POST', f'{self._session}/element', {'using': 'css selector', 'value': selector})[ELEMENT]

    def click(self, selector: str) -> None:
        """Click the middle of an element, as a hand does: it must be in sight and not covered."""
        self._ask('POST', f'{self._session}/element/{self.find(selector)}/click', {})

    def press(self, selector: str, keys: str) -> None:
        """Type keys into an element."""
        self._ask('POST', f'{self._session}/element/{self.find(selector)}/value', {'text': keys})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one point of the window, move it to another and let go."""
        moves = [{'type': 'pointerMove', 'duration': 0, 'x': round(start[0]), 'y': round(start[1])},
                 {'type': 'pointerDown', 'button': 0},
                 {'type': 'pointerMove', 'duration': 30, 'x': round(end[0]), 'y': round(end[1])},
                 {'type': 'pointerUp', 'button': 0}]
        mouse = {'type': 'pointer', 'id': 'mouse', 'parameters': {'pointerType': 'mouse'}, 'actions': moves}
        self._ask('POST', f'{self._session}/actions', {'actions': [mouse]})

    def messages(self) -> list[str]:
        """Errors of the page since the last call."""
        entries = self._ask('POST', f'{self._session}/se/log', {'type': 'browser'})
        return [entry['message'] for entry in entries if entry['level'] == 'SEVERE']

    def requested(self) -> list[str]:
        """Addresses that were requested since the last call, the browser's own pages and data inside the page apart."""
        entries = self._ask('POST', f'{self._session}/se/log', {'type': 'performance'})
        events = [json.loads(entry['message'])['message'] for entry in entries]
        addresses = [event['params']['request']['url'] for event in events if event['method'] == 'Network.requestWillBeSent']
        return [address for address in addresses if address.split(':')[0] not in ('data', 'chrome', 'chrome-untrusted')]

    def close(self) -> None:
        """End the browser and the driver."""
        try:
            self._ask('DELETE', self._session)
        finally:
            self._end_driver()

    def _end_driver(self) -> None:
        self._process.terminate()
        self._process.wait(10)
