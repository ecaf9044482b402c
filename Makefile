# For fingers that type make; everything is in ./dev.
.PHONY: demo test check
demo test check:
	@./dev $@
