package peerguard

import (
	"errors"
	"math"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// ranged calls visit for every field of a configuration that has a range, with its path.
func ranged(config reflect.Value, path string, visit func(path string, field reflect.Value)) {
	for i := range config.NumField() {
		field, name := config.Field(i), path+config.Type().Field(i).Name
		switch field.Kind() {
		case reflect.Struct:
			ranged(field, name+".", visit)
		case reflect.Bool:
		default:
			visit(name, field)
		}
	}
}

func TestAFieldOutOfItsRangeIsNamedAsInGo(t *testing.T) {
	snake := regexp.MustCompile("[a-z]_[a-z]")
	fields := 0
	config := DefaultConfig()
	// Else FailureRateMinCalls is not looked at.
	config.FailureRate = 0.5
	ranged(reflect.ValueOf(&config).Elem(), "", func(path string, field reflect.Value) {
		fields++
		well := reflect.ValueOf(field.Interface())
		defer field.Set(well)
		switch field.Interface().(type) {
		case uint32:
			field.SetUint(math.MaxUint32)
		case uint64:
			field.SetUint(math.MaxUint64)
		case float64:
			field.SetFloat(math.NaN())
		case time.Duration:
			field.SetInt(0)
		default:
			t.Fatal(path, field.Type())
		}
		_, err := New(config)
		is(t, err, ErrConfig)
		var wrong *ConfigError
		if !errors.As(err, &wrong) || wrong.Field != path || wrong.Allowed == "" || snake.MatchString(err.Error()) {
			t.Errorf("%s: %v", path, err)
		}
	})
	// No name of a field that is gone.
	if fields != len(configFields) {
		t.Error(fields, "fields, ", len(configFields), "names")
	}
}

func TestARangeNamesOtherFieldsAsInGo(t *testing.T) {
	config := DefaultConfig()
	config.MaxOpenTime = config.RecoveryTimeout - 1
	_, err := New(config)
	if err == nil || err.Error() != "peerguard: configuration: MaxOpenTime must be RecoveryTimeout to 24 h" {
		t.Fatal(err)
	}
	config = DefaultConfig()
	config.MinScore = 30
	_, err = New(config)
	if err == nil || err.Error() != "peerguard: configuration: MinScore must be 0 to less than half of InitialScore" {
		t.Fatal(err)
	}
}

func TestAMessageThatCannotBeReadIsHandedOn(t *testing.T) {
	err := configError("new_field must be 1 to 2", configFields)
	is(t, err, ErrConfig)
	if err.Error() != "peerguard: configuration: new_field must be 1 to 2" {
		t.Fatal(err)
	}
}

func TestAnOptionOutOfItsRangeIsNamed(t *testing.T) {
	guard := newGuard(t, nil)
	wrong := func(change func(*ExporterOptions), want error, text string) {
		t.Helper()
		options := DefaultExporterOptions()
		change(&options)
		_, err := guard.NewExporter(options)
		is(t, err, want)
		if err.Error() != text {
			t.Error(err)
		}
	}
	for _, change := range []func(*ExporterOptions){
		func(o *ExporterOptions) { o.Interval = 0 },
		func(o *ExporterOptions) { o.Timeout = Forever },
		func(o *ExporterOptions) { o.StaleAfter = 0 },
		func(o *ExporterOptions) { o.MaxBody = 1 << 31 },
		func(o *ExporterOptions) { o.MaxConnections = 0 },
	} {
		options := DefaultExporterOptions()
		change(&options)
		_, err := guard.NewExporter(options)
		var named *ConfigError
		if !errors.As(err, &named) || !reflect.ValueOf(options).FieldByName(named.Field).IsValid() {
			t.Error(err)
		}
	}
	wrong(func(o *ExporterOptions) { o.Timeout = time.Microsecond }, ErrConfig,
		"peerguard: configuration: Timeout must be 1 ms to 1 h")
	wrong(func(o *ExporterOptions) { o.Series = 9 }, ErrInvalid, "peerguard: invalid argument: series must be 0 to 3")
	wrong(func(o *ExporterOptions) { o.Address = "localhost:1" }, ErrText,
		"peerguard: invalid text: address must be a numeric address with a port, such as 127.0.0.1:9100")
	wrong(func(o *ExporterOptions) { o.Address = "0.0.0.0:0" }, ErrToken,
		"peerguard: this address needs a token: token must be set where address is not a loopback one")
}
