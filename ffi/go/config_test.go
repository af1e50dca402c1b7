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
	err := configError("new_field must be 1 to 2")
	is(t, err, ErrConfig)
	if err.Error() != "peerguard: configuration: new_field must be 1 to 2" {
		t.Fatal(err)
	}
}
