"""The published sets that can be packed."""

from glowdeblur_plugin.data.packers.bsd import Bsd
from glowdeblur_plugin.data.packers.dvd import Dvd
from glowdeblur_plugin.data.packers.gopro import GoPro
from glowdeblur_plugin.data.packers.gsblur import GsBlur
from glowdeblur_plugin.data.packers.hide import Hide
from glowdeblur_plugin.data.packers.lsdir import Lsdir
from glowdeblur_plugin.data.packers.plan import PublicSet
from glowdeblur_plugin.data.packers.realblur import RealBlur
from glowdeblur_plugin.data.packers.reds import Reds
from glowdeblur_plugin.data.packers.rsblur import RsBlur
from glowdeblur_plugin.data.packers.rwbi import Rwbi

PUBLIC_SETS: dict[str, type[PublicSet]] = {
    packer.name: packer for packer in (GoPro, Hide, Reds, RealBlur, Bsd, RsBlur, GsBlur, Dvd, Rwbi, Lsdir)
}
