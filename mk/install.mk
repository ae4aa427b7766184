# Installing: always a release build, made here if it is not there yet.

PREFIX ?= /usr/local
BINDIR := $(DESTDIR)$(PREFIX)/bin
LIBDIR := $(DESTDIR)$(PREFIX)/lib
INCLUDEDIR := $(DESTDIR)$(PREFIX)/include
MANDIR := $(DESTDIR)$(PREFIX)/share/man/man1
COMPLETIONDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

version_part = $(shell sed -n \
    's/^\#define STET_VERSION_$(1) //p' include/stet/stet.h)
VERSION = $(call version_part,MAJOR).$(call version_part,MINOR).$(call \
    version_part,PATCH)
HEADERS := $(wildcard include/stet/*.h include/stet/sys/*.h)

.PHONY: install install-built install-library install-command install-private
install:
	@$(MAKE) --no-print-directory $(PARALLEL) PRESET=release all
	@$(MAKE) --no-print-directory PRESET=release install-built

install-built: install-library $(if $(CLI),install-command) \
    $(if $(PRIVATE_LIBDIR),install-private)
	@$(tell_linker)

install-library:
	install -d $(INCLUDEDIR)/stet/sys $(LIBDIR)/pkgconfig
	for header in $(HEADERS); do \
	    install -m 644 $$header $(INCLUDEDIR)/$${header#include/} || exit; \
	done
	install -m 644 $(LIB_A) $(LIBDIR)
	install -m 644 $(LIB_SO) $(LIBDIR)/libstet.so.$(VERSION)
	ln -sf libstet.so.$(VERSION) $(LIBDIR)/libstet.so.0
	ln -sf libstet.so.0 $(LIBDIR)/libstet.so
	install -m 644 $(CONFIG_A) $(LIBDIR)
	install -m 644 $(CONFIG_SO) $(LIBDIR)/libstet-config.so.$(VERSION)
	ln -sf libstet-config.so.$(VERSION) $(LIBDIR)/libstet-config.so.0
	ln -sf libstet-config.so.0 $(LIBDIR)/libstet-config.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    stet-config.pc.in >$(LIBDIR)/pkgconfig/stet-config.pc
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@YYJSON_PACKAGE@|$(if $(PRIVATE_LIBDIR),,yyjson)|' \
	    -e 's|@YYJSON_LIBS@|$(if $(PRIVATE_LIBDIR),$(PRIVATE_LINK))|' \
	    stet.pc.in >$(LIBDIR)/pkgconfig/stet.pc

# Programs find a library where the dynamic linker's cache has it. That is the
# machine's, so a package or a user who is not root has it told otherwise.
tell_linker = [ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

install-command:
	install -d $(BINDIR) $(MANDIR) $(COMPLETIONDIR)
	install $(CLI) $(BINDIR)
	$(CLI) help --man >$(MANDIR)/stet.1
	$(CLI) help --completion bash >$(COMPLETIONDIR)/stet

# The libyyjson that Debian lacks goes where only stet looks for it.
PRIVATE_LINK = -L$${libdir}/stet -Wl,-rpath,$${libdir}/stet -lyyjson
install-private:
	install -d $(LIBDIR)/stet
	install -m 644 $(PRIVATE_LIBDIR)/libyyjson.so.0 $(LIBDIR)/stet
	ln -sf libyyjson.so.0 $(LIBDIR)/stet/libyyjson.so
