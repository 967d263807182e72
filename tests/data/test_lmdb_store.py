"""The packed store: round trip, BasicSR's reader, processes that share a set, and writing that damages nothing."""

import json
import multiprocessing
import pickle
from pathlib import Path

import lmdb
import numpy as np
import pytest
from basicsr.data.paired_image_dataset import PairedImageDataset
from torch.utils.data import DataLoader, Dataset

from glowdeblur_plugin.data import lmdb_store, lmdb_writer, picture_source
from glowdeblur_plugin.data.lmdb_store import read_manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.picture_source import LmdbSource, open_source
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError

PAGE = 4096


def pictures(count: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f'p{number}': rng.integers(0, 256, (20 + number, 31, 3), dtype=np.uint8) for number in range(count)}


def pack(path: Path, content: dict[str, np.ndarray], encoding: str = 'png') -> Path:
    with LmdbWriter(path, 'test', encoding=encoding) as writer:
        for key, picture in content.items():
            writer.put(key, picture)
    return path


def test_round_trip_is_exact_and_windows_are_cut(tmp_path):
    content = pictures()
    source = LmdbSource(pack(tmp_path / 'a.lmdb', content))
    assert list(source.sizes) == sorted(content)
    for key, picture in content.items():
        assert source.sizes[key] == picture.shape[:2]
        np.testing.assert_array_equal(source.read(key), picture)
        np.testing.assert_array_equal(source.read(key, Window(3, 5, 7, 11)), picture[3:10, 5:16])
    assert read_manifest(source.root).count == len(content)


def test_the_map_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_writer, 'FIRST_MAP_BYTES', 1 << 15)
    content = pictures(40)
    source = LmdbSource(pack(tmp_path / 'a.lmdb', content))
    assert all(np.array_equal(source.read(key), picture) for key, picture in content.items())


def test_basicsr_reads_our_sets(tmp_path):
    sharp, blurry = pictures(seed=1), pictures(seed=2)
    dataset = PairedImageDataset({
        'dataroot_gt': str(pack(tmp_path / 'gt.lmdb', sharp)), 'dataroot_lq': str(pack(tmp_path / 'lq.lmdb', blurry)),
        'io_backend': {'type': 'lmdb'}, 'phase': 'val', 'scale': 1,
    })
    assert len(dataset) == len(sharp)
    for sample in (dataset[index] for index in range(len(dataset))):
        for side, content in (('gt', sharp), ('lq', blurry)):
            found = np.round(sample[side].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
            np.testing.assert_array_equal(found, content[sample[f'{side}_path']])


class Pixels(Dataset):
    """Two sources that may be the same set; a sample is one picture of each."""

    def __init__(self, *roots: Path) -> None:
        self.sources = [LmdbSource(root) for root in roots]

    def __len__(self) -> int:
        return len(self.sources[0].sizes)

    def __getitem__(self, index: int) -> list[np.ndarray]:
        return [source.read(list(source.sizes)[index]) for source in self.sources]


@pytest.mark.parametrize('encoding', ['png', 'zstd', 'raw'])
def test_train_and_validation_may_share_a_set_with_workers_after_the_parent_opened_it(tmp_path, encoding):
    root = pack(tmp_path / 'a.lmdb', pictures(4), encoding)
    train, validation = Pixels(root, root), Pixels(root)
    for _ in range(2):
        expected = [validation[index][0] for index in range(len(validation))]
        validation.sources[0]._cache.clear()
        loader = DataLoader(train, batch_size=None, num_workers=2, multiprocessing_context='fork')
        for found, picture in zip(loader, expected, strict=True):
            np.testing.assert_array_equal(found[0], picture)
            np.testing.assert_array_equal(found[1], picture)


@pytest.mark.parametrize('encoding', ['png', 'raw'])
def test_a_source_travels_to_a_spawned_process(tmp_path, encoding):
    content = pictures()
    source = LmdbSource(pack(tmp_path / 'a.lmdb', content, encoding))
    source.read('p1')
    assert len(pickle.dumps(source)) < 2000, 'decoded pictures stay behind'
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(source.read, ('p1',)), content['p1'])


def test_a_failed_write_leaves_the_old_set_and_nothing_else(tmp_path):
    old = pictures(seed=1)
    root = pack(tmp_path / 'a.lmdb', old)
    with pytest.raises(RuntimeError), LmdbWriter(root, 'test') as writer:
        writer.put('new', old['p0'])
        raise RuntimeError
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.lmdb']
    np.testing.assert_array_equal(LmdbSource(root).read('p0'), old['p0'])


def test_a_set_is_replaced_as_a_whole(tmp_path):
    pack(tmp_path / 'a.lmdb', pictures(5))
    before = LmdbSource(tmp_path / 'a.lmdb').read('p0')
    root = pack(tmp_path / 'a.lmdb', {'only': pictures()['p0'], 'p0': 255 - before})
    np.testing.assert_array_equal(LmdbSource(root).read('p0'), 255 - before)
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.lmdb']
    assert list(LmdbSource(root).sizes) == ['only', 'p0'] and read_manifest(root).count == 2


def test_a_set_under_two_names_is_opened_once_and_both_see_a_new_one(tmp_path):
    root = pack(tmp_path / 'a.lmdb', pictures(seed=1))
    (tmp_path / 'link.lmdb').symlink_to(root)
    sources = [LmdbSource(path) for path in (root, tmp_path / 'link.lmdb')]
    assert lmdb_store.environment(sources[0].root) is lmdb_store.environment(sources[1].root)
    pack(root, pictures(seed=2))
    for source in sources:
        np.testing.assert_array_equal(source.read('p1', Window(0, 0, 20, 31)), pictures(seed=2)['p1'][:20])


def test_what_a_killed_writer_left_goes_when_the_set_is_packed_again(tmp_path):
    (tmp_path / '.a.lmdb.partial').mkdir()
    (tmp_path / '.a.lmdb.partial' / 'data.mdb').write_bytes(b'torn')
    (tmp_path / '.a.lmdb.old').mkdir()
    (tmp_path / '.b.lmdb.partial').mkdir()
    source = LmdbSource(pack(tmp_path / 'a.lmdb', pictures()))
    assert {entry.name for entry in tmp_path.iterdir()} == {'a.lmdb', '.b.lmdb.partial'}
    np.testing.assert_array_equal(source.read('p0'), pictures()['p0'])


def test_a_set_that_lost_its_place_to_a_kill_is_put_back_first(tmp_path):
    root, content = tmp_path / 'a.lmdb', pictures()
    pack(root, content).rename(tmp_path / '.a.lmdb.old')
    with pytest.raises(RuntimeError), LmdbWriter(root, 'test'):
        raise RuntimeError
    np.testing.assert_array_equal(LmdbSource(root).read('p1'), content['p1'])


def test_one_process_at_a_time_writes_a_set(tmp_path):
    with LmdbWriter(tmp_path / 'a.lmdb', 'test') as writer:
        writer.put('p0', pictures()['p0'])
        with pytest.raises(UserError, match='a.lmdb: another process is packing this set'):
            pack(tmp_path / 'a.lmdb', pictures())
    assert list(LmdbSource(tmp_path / 'a.lmdb').sizes) == ['p0']


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / 'taken').write_text('')
    with pytest.raises(UserError, match='taken/a.lmdb: cannot be written'):
        pack(tmp_path / 'taken' / 'a.lmdb', pictures())


def test_data_that_is_missing_or_cut_short_is_seen_when_the_set_is_opened(tmp_path):
    data = pack(tmp_path / 'a.lmdb', pictures()) / 'data.mdb'
    whole = data.read_bytes()
    assert LmdbSource(data.parent).sizes.keys() == pictures().keys()
    for size, match in ((len(whole) - 1, f'data.mdb: is cut short, {len(whole) - 1} of {len(whole)} bytes'),
                        (2 * PAGE, 'data.mdb: is cut short'), (100, 'not a packed set'), (0, 'not a packed set')):
        data.write_bytes(whole[:size])
        with pytest.raises(UserError, match=match):
            LmdbSource(data.parent)
    data.unlink()
    with pytest.raises(UserError, match='not a packed set that can be read'):
        LmdbSource(data.parent)


def test_damaged_pages_are_named_with_set_and_key(tmp_path):
    """The header of every page of the tree says another kind; the two first pages say where the tree begins."""
    root = pack(tmp_path / 'a.lmdb', pictures())
    data = bytearray((root / 'data.mdb').read_bytes())
    for page in range(2 * PAGE, len(data), PAGE):
        data[page + 10:page + 12] = b'\xff\xff'
    (root / 'data.mdb').write_bytes(data)
    source = LmdbSource(root)
    with pytest.raises(UserError, match='a.lmdb/p1: cannot be read, data.mdb is damaged') as caught:
        source.read('p1')
    assert '\n' not in str(caught.value)
    with pytest.raises(UserError, match='a.lmdb: cannot be read, data.mdb is damaged'):
        lmdb_store.stored_keys(root)


def test_a_set_that_another_reader_has_open_is_refused_in_one_line(tmp_path):
    root = pack(tmp_path / 'a.lmdb', pictures())
    with lmdb.open(str(root), readonly=True, lock=False):
        with pytest.raises(UserError, match="a.lmdb: another reader has it open in this process, such as one of BasicSR's"):
            LmdbSource(root)
    np.testing.assert_array_equal(LmdbSource(root).read('p1'), pictures()['p1'])


def test_a_slash_at_the_end_changes_nothing(tmp_path):
    root = pack(tmp_path / 'a.lmdb', pictures())
    source = open_source(f'{root}/', 'datasets:train:dataroot_gt')
    np.testing.assert_array_equal(source.read('p1'), pictures()['p1'])
    assert source.describe('p1') == f'{root}/p1'


def test_pictures_stay_decoded_where_all_of_them_fit(tmp_path, monkeypatch):
    root = pack(tmp_path / 'a.lmdb', pictures())
    size = sum(picture.nbytes for picture in pictures().values())
    for limit, kept in ((size, True), (size - 1, False)):
        monkeypatch.setattr(picture_source, 'CACHE_BYTES', limit)
        source = LmdbSource(root)
        assert all((source.read(key) is source.read(key)) == kept for key in source.sizes)
        assert bool(source._cache) == kept


def test_keys_of_other_tools_need_not_be_ascii(tmp_path):
    root = pack(tmp_path / 'a.lmdb', pictures(1))
    with lmdb.open(str(root), map_size=1 << 26, lock=False) as environment, environment.begin(write=True) as transaction:
        transaction.put('größe'.encode(), transaction.get(b'p0'))
    (root / 'meta_info.txt').write_text('größe.png (20,31,3) 1\nübrig.png (20,31,3) 1\n', encoding='utf-8')
    source = LmdbSource(root)
    np.testing.assert_array_equal(source.read('größe'), pictures(1)['p0'])
    with pytest.raises(UserError, match="no record under key 'übrig'"):
        source.read('übrig')


@pytest.mark.parametrize(('key', 'match'), [('scene_0.5_r', 'letters'), ('a b', 'letters'), ('p0', 'comes twice')])
def test_keys_that_basicsr_would_lose_are_refused(tmp_path, key, match):
    with pytest.raises(UserError, match=match), LmdbWriter(tmp_path / 'a.lmdb', 'test') as writer:
        writer.put('p0', pictures()['p0'])
        writer.put(key, pictures()['p0'])
    assert not list(tmp_path.iterdir())


def break_record(root: Path, data: bytes | None) -> None:
    with lmdb.open(str(root), map_size=1 << 26, lock=False) as environment, environment.begin(write=True) as transaction:
        if data is None:
            transaction.delete(b'p1')
        else:
            transaction.put(b'p1', data)


@pytest.mark.parametrize(('data', 'match'), [(None, "no record under key 'p1'"), (b'junk', 'a.lmdb/p1: not a picture')])
def test_a_missing_or_damaged_record_is_named_with_its_set(tmp_path, data, match):
    root = pack(tmp_path / 'a.lmdb', pictures())
    break_record(root, data)
    source = LmdbSource(root)
    np.testing.assert_array_equal(source.read('p0'), pictures()['p0'])
    with pytest.raises(UserError, match=match) as caught:
        source.read('p1')
    assert str(root) in str(caught.value) and '\n' not in str(caught.value)


def test_a_picture_of_another_size_than_listed_is_named(tmp_path):
    root = pack(tmp_path / 'a.lmdb', pictures())
    other = pack(tmp_path / 'b.lmdb', {'p1': pictures()['p2']})
    break_record(root, lmdb_store.read_record(other, 'p1'))
    with pytest.raises(UserError, match='a.lmdb/p1: is 31x22, but listed as 31x21'):
        LmdbSource(root).read('p1')


@pytest.mark.parametrize(('file', 'text', 'match'), [
    ('meta_info.txt', 'a.b.png (1,2,3) 1\n', "line 1 is 'a.b.png"),
    ('meta_info.txt', 'gr\xf6\xdfe.png (1,2,3) 1\n', 'meta_info.txt: cannot be read'),
    ('manifest.json', '{"set"', 'cannot be read'),
    ('manifest.json', json.dumps({'set': 'x', 'set_version': 1, 'count': 1, 'format': 9}), 'format 9'),
    ('manifest.json', json.dumps({'set': 'x', 'set_version': 1, 'count': 1, 'details': []}), r'details is \[\]'),
])
def test_a_set_whose_lists_are_damaged_is_refused(tmp_path, file, text, match):
    root = pack(tmp_path / 'a.lmdb', pictures())
    (root / file).write_text(text, encoding='latin-1')
    with pytest.raises(UserError, match=match):
        LmdbSource(root)
