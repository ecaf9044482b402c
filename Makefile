# For fingers that type make; everything is in ./dev.
.PHONY: demo test check docs
demo test check docs:
	@./dev $@
